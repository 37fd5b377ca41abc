"""Commands that mend a broken installation. `make release-check` breaks it, and applies each of them."""

import json
import re
import shlex
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlparse

# versions that setup.cfg excludes, and what fails with them
KNOWN_TO_BREAK = {
    "attributee==0.1.10": "`import vot` ends with a TypeError",
    "vot-toolkit>=0.8,<0.10": "of VOT's experiments only unsupervised ones run, without realtime",
}

# modules whose distribution has another name
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "class_registry": "phx-class-registry",
    "cv2": "opencv-python",
    "trax": "vot-trax",
    "vot": "vot-toolkit",
    "yaml": "pyyaml",
}
_GRAPHICS = "Run: apt-get install libgl1 libglib2.0-0"


def requirements() -> dict[str, str]:
    """Distribution -> the line that requires it of every installation, without the extras' ones."""
    lines = [line for line in metadata.requires("roam-tracker") or [] if "extra ==" not in line]
    return {re.split(r"[^\w.-]", line, maxsplit=1)[0]: line for line in lines}


def installed(distribution: str) -> str | None:
    """Its version, or None if it is missing."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def unfit() -> dict[str, str]:
    """The requirements that this installation does not meet."""
    from packaging.requirements import Requirement

    wrong = {}
    for name, line in requirements().items():
        version = installed(name)
        if version is None or not Requirement(line).specifier.contains(version, prereleases=True):
            wrong[name] = line
    return wrong


def known_to_break() -> dict[str, str]:
    """Distribution -> what fails, for each version here that is known to break something."""
    from packaging.requirements import Requirement

    found = {}
    for line, effect in KNOWN_TO_BREAK.items():
        requirement = Requirement(line)
        version = installed(requirement.name)
        if version is not None and requirement.specifier.contains(version, prereleases=True):
            found[requirement.name] = effect
    return found


def install(lines: Iterable[str]) -> str:
    """Install versions that meet these requirements."""
    return f"Run: pip install {shlex.join(lines)}"


def restore(distribution: str) -> str:
    """Install a distribution: a damaged one again in the same version, a missing one as it is required."""
    if distribution == "roam-tracker":
        return restore_ours()
    version = installed(distribution)
    if version is not None:
        return f"Run: pip install --force-reinstall --no-deps {distribution}=={version}"
    return install([requirements().get(distribution, distribution)])


def restore_ours(folder: str = "") -> str:
    """Install this package again from where it came, and nothing else.

    folder: of the package, whose files are to come back; in a checkout they are those of the last commit
    """
    source = json.loads(metadata.distribution("roam-tracker").read_text("direct_url.json") or "{}")
    place = unquote(urlparse(source.get("url", "")).path)
    if source.get("dir_info", {}).get("editable"):
        if folder:
            return f"Run: git -C {shlex.quote(place)} checkout -- {folder}"
        return f"Run: pip install --force-reinstall --no-deps -e {shlex.quote(place)}"
    if source.get("url", "").startswith("file:"):
        if not Path(place).exists():
            return f"Install roam-tracker again as you did before; {place} is no longer there."
        return f"Run: pip install --force-reinstall --no-deps {shlex.quote(place)}"
    if "url" in source:
        return "Install roam-tracker again as you did before, with --force-reinstall --no-deps."
    return f"Run: pip install --force-reinstall --no-deps roam-tracker=={metadata.version('roam-tracker')}"


def after(said: str, suspect: str = "roam-tracker") -> str:
    """The remedy after an error that said this, where nothing else is known to be wrong.

    suspect: the distribution to restore if the error names no module that is missing
    """
    if any(library in said for library in ("libGL", "libglib", "libgthread")):
        return _GRAPHICS
    if module := re.search(r"No module named '(\w+)", said):
        return restore(_DISTRIBUTIONS.get(module[1], module[1].replace("_", "-")))
    wrong = unfit()
    return install(wrong.values()) if wrong else restore(suspect)
