"""What a run concludes, in the window: the tables of jobs and runs, the preview, a run's own window, the phone's page."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from queue_runners import LIVING
from window_steps import PATIENCE

from mho.analysis import palette
from mho.gui.queue import COLUMNS as JOB_COLUMNS
from mho.gui.queue import QueuePanel, job_sentence
from mho.gui.runs.panel import RunsPanel
from mho.gui.runs.table import COLUMNS as RUN_COLUMNS
from mho.gui.session.session import Session
from mho.gui.widgets import colours
from mho.running.queue import JobStatus, Order, Queue
from mho.runs import Conclusion, Layout, RunHeader, RunWriter, Status

END = Conclusion("4 of 4 cells <unformed>", ("relay 3 answered late",), measured=False)
LINE = "4 of 4 cells <unformed>: nothing measured (1 warning)"
CONCLUSION, OUTCOME, STATUS = (
    next(place for place, one in enumerate(names) if one == heading)
    for names, heading in (
        ([one.heading for one in RUN_COLUMNS], "Conclusion"),
        ([one.heading for one in JOB_COLUMNS], "Outcome"),
        ([one.heading for one in JOB_COLUMNS], "Status"),
    )
)


def written(path: Path, conclusion: Conclusion = END) -> Path:
    path.parent.mkdir(exist_ok=True)
    with RunWriter.create(path, RunHeader("Retention", "Retention", "1", {}), Layout()) as run:
        run.conclude(conclusion)
    return path


@pytest.fixture
def session(tmp_path, qapp):
    written(tmp_path / "runs" / "empty.h5")
    made = Session(tmp_path / "runs")
    yield made
    made.close()


def test_in_the_table_of_runs_and_in_its_preview(session, qtbot):
    panel = RunsPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: panel.model.rowCount() == 1, timeout=PATIENCE)
    cell = panel.model.index(0, CONCLUSION)
    assert cell.data() == LINE
    assert "relay 3 answered late" in panel.model.data(cell, Qt.ItemDataRole.ToolTipRole)
    painted = panel.model.data(panel.model.index(0, 2), Qt.ItemDataRole.ForegroundRole)
    assert painted.name() == colours().doubtful.lower()
    panel.table.selectRow(0)
    heading = panel.preview.heading
    qtbot.waitUntil(lambda: "nothing measured" in heading.text(), timeout=PATIENCE)
    assert "finished, nothing measured: 4 of 4 cells &lt;unformed&gt; (1 warning)" in heading.text()
    assert "relay 3 answered late" in heading.text()
    panel.close_down()


def test_in_the_table_of_jobs(session, qtbot):
    with Queue(session.queue_path) as queue:
        job = queue.add(Order("retention"))
        queue.begin(job.id, run=None, **LIVING)
        ended = queue.end(job.id, JobStatus.FINISHED, "", conclusion=END)
        panel = QueuePanel(session)
        qtbot.addWidget(panel)
        panel.show()
        session.start()
        qtbot.waitUntil(lambda: panel.model.rowCount() == 1, timeout=PATIENCE)
        assert panel.model.index(0, OUTCOME).data() == LINE
        painted = panel.model.index(0, STATUS).data(Qt.ItemDataRole.ForegroundRole)
        assert painted.name() == colours().doubtful.lower()
        assert "relay 3 answered late" in panel.model.index(0, OUTCOME).data(Qt.ItemDataRole.ToolTipRole)
    assert job_sentence(ended) == f"job 1 finished: retention: {LINE}"


@pytest.mark.parametrize(
    ("conclusion", "badge", "told"),
    [
        (END, "FINISHED, NOTHING MEASURED", f"{LINE}\nrelay 3 answered late"),
        (Conclusion("converged, 25 bits proved"), "FINISHED", "converged, 25 bits proved"),
        (Conclusion(), "FINISHED", ""),
    ],
)
def test_in_the_window_of_a_run(conclusion, badge, told, tmp_path, open_window):
    header = open_window(written(tmp_path / "a.h5", conclusion)).header
    assert header.status.text() == badge
    assert (palette.DOUBTFUL in header.status.styleSheet()) is (not conclusion.measured)
    assert header.reason.text() == told
    assert header.reason.isVisible() is bool(told)


def test_on_the_page_for_the_phone(session, tmp_path):
    with Queue(session.queue_path) as queue:
        job = queue.add(Order("retention"))
        queue.begin(job.id, run=tmp_path / "runs" / "empty.h5", **LIVING)
        queue.end(job.id, JobStatus.FINISHED, "", conclusion=END)
    watch = pytest.importorskip("mho.extensions.watch")
    text = watch.page(watch.look(tmp_path / "runs"))
    line = "4 of 4 cells &lt;unformed&gt;: nothing measured (1 warning)"
    assert f'<p class="bad">{line}</p>' in text
    assert f"<td class='text'>{line}</td>" in text
    assert "relay 3 answered late" in text


def test_a_good_line_is_not_red_on_the_page_for_the_phone(tmp_path):
    written(tmp_path / "a.h5", Conclusion("converged, 25 bits proved"))
    watch = pytest.importorskip("mho.extensions.watch")
    glance = watch.look(tmp_path)
    assert glance.run is not None
    assert glance.run.status is Status.FINISHED
    assert "<p>converged, 25 bits proved</p>" in watch.page(glance)
