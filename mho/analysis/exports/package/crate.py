"""Describes a package as an RO-Crate 1.1: every file, and for every run what was done with what, and what came of it.

Soiland-Reyes et al., Packaging research artefacts with RO-Crate, Data Science 5, 97 (2022); the specification is at
https://w3id.org/ro/crate/1.1. A run is an action whose instruments are the equipment (as there under "Provenance") and
the program. It is a dataset too, of its run file, tables and figures: what an electronic lab notebook takes in as an
experiment (The ELN Consortium, Specification for the ELN file format, commit 401e7aa of 2026-08-20).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from mho.analysis.exports.package.contents import MANIFEST, PackagedFile, PackagedRun
from mho.analysis.exports.package.description import Creator, Description
from mho.analysis.exports.package.pictures import PackagePicture
from mho.runs import Status
from mho.runs.nexus import FILE as DEFINITION_FILE

FILE = "ro-crate-metadata.json"
CRATE = "https://w3id.org/ro/crate/1.1"
CONTEXT = [
    f"{CRATE}/context",
    {"sha256": "https://schema.org/sha256", "Sample": "http://www.w3.org/ns/sosa/Sample"},
]
"""With what RO-Crate 1.1 has no words for; a sample is that of W3C's SOSA."""

PURPOSE = "lab suite for analogue matrix computing on RRAM chips"

Entity = dict[str, Any]


def address(path: PurePosixPath | str) -> str:
    """Return the identity of a file: its path, as a URI has it."""
    return quote(str(path))


def _moment(time: datetime | None) -> str:
    return time.isoformat(timespec="seconds") if time else ""


def _outcome(run: PackagedRun) -> str:
    return f"{run.procedure}, {run.outcome}"


@dataclass
class Crate:
    """The entities of a crate; each identity once."""

    described: Description
    runs: Sequence[PackagedRun]
    pictures: Sequence[PackagePicture]
    files: Sequence[PackagedFile]
    entities: dict[str, Entity] = field(default_factory=dict)

    def written(self, title: str, text: str) -> dict[str, Any]:
        """Return the metadata of a package as JSON-LD."""
        described, day = self.described, self.described.day.isoformat()
        program = self._add("#mho", "Organization", name="mho", description=PURPOSE)
        self._add(
            FILE, "CreativeWork", about={"@id": "./"}, conformsTo={"@id": CRATE}, dateCreated=day, sdPublisher=program
        )  # fmt: skip
        root = self._add(
            "./", "Dataset", name=title, description=text, datePublished=day,
            identifier=f"https://doi.org/{described.doi}" if "/" in described.doi else "",
            keywords=", ".join(described.keywords),
        )  # fmt: skip
        whole = self.entities[root["@id"]]
        if licence := described.licence:
            whole["license"] = self._add(
                licence.address, "CreativeWork", name=licence.name, identifier=licence.identifier
            )
        if described.creators:
            whole["author"] = [self._person(one) for one in described.creators]
        if described.publisher:
            whole["publisher"] = self._add("#publisher", "Organization", name=described.publisher)
        if paper := described.paper:
            whole["citation"] = self._add(f"https://doi.org/{paper}", "ScholarlyArticle", name=f"doi:{paper}")
        parts = [self._file(one) for one in self.files]
        parts.append(self._add(MANIFEST, "File", name="checksums of all files", encodingFormat="text/plain"))
        experiments = [self._experiment(run) for run in self.runs]
        inside = {part["@id"] for one in experiments for part in self.entities[one["@id"]]["hasPart"]}
        whole["hasPart"] = [*(one for one in parts if one["@id"] not in inside), *experiments]
        whole["mentions"] = [self._action(run) for run in self.runs]
        # A value instead of a list of one, as RO-Crate wants it; parts stay a list for notebooks.
        graph = [
            {
                key: value[0] if isinstance(value, list) and len(value) == 1 and key != "hasPart" else value
                for key, value in entity.items()
            }
            for entity in self.entities.values()
        ]
        return {"@context": CONTEXT, "@graph": graph}

    def _add(self, identity: str, kind: str | list[str], **properties: Any) -> dict[str, str]:
        """Add an entity unless it is there, without what is empty; return a reference to it."""
        if identity not in self.entities:
            nonempty = {name: value for name, value in properties.items() if value not in ("", [], None)}
            self.entities[identity] = {"@id": identity, "@type": kind, **nonempty}
        return {"@id": identity}

    def _person(self, creator: Creator) -> dict[str, str]:
        identity = (
            f"https://orcid.org/{creator.orcid}" if creator.orcid else f"#{quote(creator.name, safe='')}"
        )
        family, given = creator.family_and_given or ("", "")
        place = creator.affiliation
        organization = self._add(f"#{quote(place, safe='')}", "Organization", name=place) if place else None
        names = {"name": creator.name, "familyName": family, "givenName": given}
        return self._add(identity, "Person", **names, affiliation=organization)

    def _file(self, file: PackagedFile) -> dict[str, str]:
        kind: str | list[str] = "File"
        run = next((one for one in self.runs if one.path == file.path), None)
        more: dict[str, Any] = {"name": file.path.name, "dateCreated": self.described.day.isoformat()}
        if run is not None:
            more |= {"name": run.title, "identifier": run.run_id, "description": _outcome(run)}
            more["dateCreated"] = _moment(run.start)
            if run.conforms:
                more["conformsTo"] = {"@id": DEFINITION_FILE}
        elif file.path.parts[0] == "source":
            owners = [one.procedure for one in self.runs if one.texts.get("source") == file.path]
            kind = ["File", "SoftwareSourceCode"]
            language = self._add("https://www.python.org", "ComputerLanguage", name="Python")
            more |= {"name": f"source of {', '.join(dict.fromkeys(owners))}", "programmingLanguage": language}
        elif file.path.parts[0] == "figures":
            shown = next((one for one in self.pictures if file.path in one.paths), None)
            if shown:
                kind = ["File", "ImageObject"]
                more |= {"name": shown.title, "about": [{"@id": address(one.path)} for one in shown.runs]}
        elif str(file.path) == DEFINITION_FILE:
            kind = ["File", "CreativeWork"]
            more["name"] = "NeXus application definition NXrram_array"
        more |= {"encodingFormat": file.media_type, "contentSize": str(file.size), "sha256": file.sha256}
        return self._add(address(file.path), kind, **more)

    def _experiment(self, run: PackagedRun) -> dict[str, str]:
        """Describe a run as the dataset of its run file, its tables and the figures of it alone."""
        tables = [one.path for one in self.files if run.data in one.path.parents]
        return self._add(
            f"{address(run.data)}/", "Dataset", name=run.title, genre="experiment", identifier=run.run_id,
            author=self._operator(run) or [self._person(one) for one in self.described.creators],
            about=self._labelled(run, "sample", "Sample"), producer=self._labelled(run, "project", "Project"),
            dateCreated=_moment(run.start), dateModified=_moment(run.end), text=_outcome(run),
            variableMeasured=self._parameters(run),
            hasPart=[{"@id": address(path)} for path in (run.path, *tables, *self._figures(run))],
        )  # fmt: skip

    def _operator(self, run: PackagedRun) -> list[dict[str, str]]:
        """Describe who measured, where the run says it; one of the package's creators is the same person."""
        name = run.provenance.get("operator", "")
        person = next((one for one in self.described.creators if one.name == name), Creator(name))
        return [self._person(person)] if name else []

    def _labelled(self, run: PackagedRun, label: str, kind: str) -> list[dict[str, str]]:
        """Describe a sample or project that a run is labelled with."""
        name = run.provenance.get(label, "")
        return [self._add(f"#{label}-{quote(name, safe='')}", kind, name=name)] if name else []

    def _figures(self, run: PackagedRun) -> list[PurePosixPath]:
        """Return the files of the figures that show this run alone."""
        return [path for one in self.pictures if one.runs == (run,) for path in one.paths]

    def _action(self, run: PackagedRun) -> dict[str, str]:
        """Describe what was done in a run: with which bench and program, to what, and what came of it."""
        done = run.status is Status.FINISHED
        given = [run.texts[what] for what in ("bench", "chip", "defects", "source") if what in run.texts]
        version, commit = (run.provenance.get(name, "") for name in ("mho_version", "git_commit"))
        software = self._add(
            "#" + "-".join(filter(None, ("mho", version, commit[:12]))), "SoftwareApplication", name="mho",
            description=PURPOSE, softwareVersion=version or "unknown",
            identifier=f"git commit {commit}" if commit else "",
            softwareRequirements=run.provenance.get("python", ""),
        )  # fmt: skip
        instruments = [software, *self._bench(run)]
        objects = [*self._labelled(run, "sample", "Sample"), *({"@id": address(path)} for path in given)]
        results = [*map(address, (run.path, *self._figures(run))), f"{address(run.data)}/"]
        return self._add(
            f"#run-{run.name}", "CreateAction", name=run.title, identifier=run.run_id,
            description=f"{_outcome(run)}; version {run.version}; cells {run.cells or 'none'}",
            startTime=_moment(run.start), endTime=_moment(run.end),
            actionStatus={"@id": f"http://schema.org/{'Completed' if done else 'Failed'}ActionStatus"},
            error="" if done else f"{run.status}: {run.reason}".rstrip(": "), agent=self._operator(run),
            instrument=instruments, object=[*objects, *self._parameters(run)], result=[{"@id": one} for one in results],
        )  # fmt: skip

    def _bench(self, run: PackagedRun) -> list[dict[str, str]]:
        """Describe the bench and each of its instruments, from what it says of itself."""
        kind = "simulated" if run.simulated else "real"
        parts = []
        for role, facts in run.instruments.items():
            identity = facts.get("identity", "")
            words = [word.strip() for word in identity.split(",")]
            maker, model, serial, firmware = words if len(words) == 4 else ("", identity, "", "")
            part = self._add(
                f"#instrument-{quote(f'{kind} {role} {identity}', safe='')}", "IndividualProduct",
                name=f"{role}: {f'{maker} {model}'.strip() or 'unknown'}",
                description=f"{kind} instrument, in the role of {role}", manufacturer=maker, model=model,
                serialNumber=serial, version=firmware, additionalProperty=self._calibration(role, facts),
            )  # fmt: skip
            parts.append(part)
        if not run.bench and not parts:
            return []
        described = run.texts.get("bench")
        bench = self._add(
            f"#bench-{quote(str(described or run.bench), safe='')}", "IndividualProduct",
            name=f"bench: {run.bench or 'unnamed'}", description=f"{kind} bench",
            subjectOf={"@id": address(described)} if described else None, isRelatedTo=parts,
        )  # fmt: skip
        return [bench, *parts]

    def _calibration(self, role: str, facts: Mapping[str, str]) -> list[dict[str, str]]:
        """Describe the dates of calibration that an instrument, or one of its channels, tells."""
        dates = {
            name: day for name, day in facts.items() if name.rpartition(".")[2].startswith("calibration_")
        }
        return [
            self._add(f"#{quote(f'{role}-{name}-{day}', safe='')}", "PropertyValue", name=name, value=day)
            for name, day in dates.items()
        ]

    def _parameters(self, run: PackagedRun) -> list[dict[str, str]]:
        texts: dict[Any, str] = {None: "none", "": '""'}
        return [
            self._add(
                f"#run-{run.name}-{quote(name, safe='')}", "PropertyValue", name=name, propertyID=name,
                description=one.label, unitText=one.unit,
                value=str(one.value) if isinstance(one.value, bool) else texts.get(one.value, one.value),
            )
            for name, one in run.parameters.items()
        ]  # fmt: skip
