import pytest
from signal_steps import settle

from mho.gui.session.session import Session
from mho.gui.signals.panel import SignalsPanel


@pytest.fixture
def session(tmp_path, qapp):
    made = Session(tmp_path)
    yield made
    made.close()


@pytest.fixture
def panel(session, qtbot):
    made = SignalsPanel(session)
    qtbot.addWidget(made)
    made.resize(1000, 520)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close_down()


@pytest.fixture
def show(session, panel):
    """Show a run, and wait until its figure is drawn."""

    def shown(path):
        session.open_run(path)
        settle(panel)
        return path

    return shown


@pytest.fixture
def told(session):
    """The messages to the user: level and text."""
    messages = []
    session.message.connect(lambda level, text, _: messages.append((level, text)))
    return messages
