"""The metadata that a repository registers with a DOI: DataCite Metadata Schema 4.5, as its REST interface takes them.

DataCite Metadata Working Group, DataCite Metadata Schema 4.5 (2024), doi:10.14454/g8e5-6293. A property that is required
and was not given is left out: a repository asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mho.analysis.exports.package.checksums import PackagedFile
from mho.analysis.exports.package.contents import PackagedRun
from mho.analysis.exports.package.description import Creator, Description, Licence

FILE = "datacite.json"
SCHEMA = "http://datacite.org/schema/kernel-4"


def datacite(
    described: Description, title: str, text: str, runs: Sequence[PackagedRun], files: Sequence[PackagedFile]
) -> dict[str, Any]:
    """Return the metadata of a package."""
    told: dict[str, Any] = {
        "schemaVersion": SCHEMA,
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "RRAM array measurements"},
        "titles": [{"title": title}],
        "publicationYear": str(described.day.year),
        "descriptions": [{"description": text, "descriptionType": "Abstract"}],
        "dates": [
            {"date": described.day.isoformat(), "dateType": "Issued"},
            {"date": _collected(runs), "dateType": "Collected"},
        ],
        "formats": sorted({one.media_type for one in files}),
        "sizes": [f"{len(files)} files", f"{sum(one.size for one in files)} bytes"],
        "alternateIdentifiers": [
            {"alternateIdentifier": run_id, "alternateIdentifierType": "mho run"}
            for run_id in dict.fromkeys(one.run_id for one in runs)
        ],
    }
    if described.creators:
        told["creators"] = [_creator(one) for one in described.creators]
    if described.publisher:
        told["publisher"] = {"name": described.publisher}
    if described.keywords:
        told["subjects"] = [{"subject": one} for one in dict.fromkeys(described.keywords)]
    if described.licence:
        told["rightsList"] = [_rights(described.licence)]
    if described.paper:
        told["relatedIdentifiers"] = [
            {
                "relatedIdentifier": described.paper,
                "relatedIdentifierType": "DOI",
                "relationType": "IsSupplementTo",
            }
        ]
    if described.doi:
        prefix, slash, _ = described.doi.partition("/")
        told |= {"doi": described.doi} if slash else {"prefix": prefix}
    return told


def _collected(runs: Sequence[PackagedRun]) -> str:
    """Return the days of the runs, first and last (RKMS-ISO8601)."""
    days = [one.start.date() for one in runs] + [one.end.date() for one in runs if one.end]
    first, last = min(days).isoformat(), max(days).isoformat()
    return first if first == last else f"{first}/{last}"


def _creator(creator: Creator) -> dict[str, Any]:
    told: dict[str, Any] = {"name": creator.name, "nameType": "Personal"}
    if creator.family_and_given:
        told["familyName"], told["givenName"] = creator.family_and_given
    if creator.affiliation:
        told["affiliation"] = [{"name": creator.affiliation}]
    if creator.orcid:
        told["nameIdentifiers"] = [
            {
                "nameIdentifier": f"https://orcid.org/{creator.orcid}",
                "nameIdentifierScheme": "ORCID",
                "schemeUri": "https://orcid.org",
            }
        ]
    return told


def _rights(licence: Licence) -> dict[str, str]:
    told = {"rights": licence.name, "rightsUri": licence.address}
    if licence.identifier:
        told |= {
            "rightsIdentifier": licence.identifier,
            "rightsIdentifierScheme": "SPDX",
            "schemeUri": "https://spdx.org/licenses/",
        }
    return told
