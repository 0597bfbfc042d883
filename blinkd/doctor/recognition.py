"""Models, embedder, speed, threshold and camera: what the terminal sees and recognises with."""

from blinkd.capture.factory import open_source
from blinkd.doctor.check import Check
from blinkd.doctor.running import daemon_says
from blinkd.errors import CameraLost
from blinkd.identity.thresholds import Rate
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.store.database import DATABASE_FILE
from blinkd.store.lock import daemon_of

LOOKS = 5  # embeddings in a visit, as vision.visit_budget_ms counts them


def models(parts: Parts) -> Check:
    """Whether the networks' files are those of the manifest."""
    manifest = parts.manifest
    checked = []
    for name, entry in manifest.models.items():
        for precision, file in entry.files.items():
            if file.committed:
                manifest.verified(name, precision)
                checked.append(f"{name} ({precision})")
    return Check("models", "ok", f"hashes agree: {', '.join(checked)}")


def embedder(parts: Parts) -> Check:
    """Which one is in force, and why."""
    found = parts.embedder
    detail = f"{found.model_id} ({found.precision}), {found.dimension}-D"
    if parts.choice is not None:
        detail += f"; auto: {parts.choice.reason}"
    if found.precision == "simulated":
        return Check("embedder", "fail", f"{detail}: recognises nobody", "set vision.precision to auto")
    return Check("embedder", "ok", detail)


def speed(parts: Parts) -> Check:
    """Whether this machine's speed is known, and what five embeddings of a visit take."""
    found = parts.embedder
    if not (speeds := parts.speeds):
        detail = "never measured on this machine, or with other files or another release of onnxruntime since"
        return Check("speed", "warn", detail, "run blinkd models bench once: model and precision are then chosen by it")
    told = ", ".join(f"{name} ({precision}) {ms:.1f} ms" for (name, precision), ms in sorted(speeds.items()))
    known = [ms for form, ms in speeds.items() if form == (found.model_id, found.precision)]
    if not known:
        detail = f"one embedding: {told}; {found.model_id} ({found.precision}) was not measured"
        return Check("speed", "warn", detail, "run blinkd models bench")
    visit, budget = LOOKS * known[0], parts.settings.vision.visit_budget_ms
    detail = f"one embedding: {told}; {LOOKS} in a visit {visit:.0f} ms of {budget}"
    if visit > budget:
        return Check(
            "speed",
            "warn",
            detail,
            "set vision.embedder to auto, which takes one that this machine affords, or raise vision.visit_budget_ms",
        )
    return Check("speed", "ok", detail)


def threshold(parts: Parts) -> Check:
    """The threshold in force for what is enrolled, and what it stands for."""
    templates = 0
    if (parts.settings.state_dir / DATABASE_FILE).exists():
        with parts.open_store(read_only=True) as store:
            templates = len(parts.gallery(store))
    point = parts.threshold_rule.at(templates)
    origin = {"model": "the model's own", "gallery": "raised for the gallery's size", "settings": "set in the settings"}[point.origin]
    detail = (
        f"match from {point.bands.match:.4f} ({origin}), uncertain from {point.bands.uncertain:.4f}, margin {point.margin:.2f}; "
        f"{templates} templates"
    )
    if point.fmr is None or point.fpir is None:
        unknown = f"{detail}; the false match rate of {parts.embedder.model_id} ({parts.embedder.precision}) is unknown"
        return Check("threshold", "warn", unknown, "measure it on pictures of many people: blinkd evaluate impostors DIR")
    detail += f"; false match rate {_rate(point.fmr)} per comparison, FPIR {_rate(point.fpir)} per look, wanted at most {point.wanted:g}"
    if point.origin == "settings" and point.fpir.value > point.wanted:
        advised = parts.threshold_rule.without_override(templates)
        return Check("threshold", "warn", detail, f"remove identity.match_threshold, or raise it to {advised:.4f}")
    return Check("threshold", "ok", detail)


def camera(settings: Settings) -> Check:
    """A frame of the camera; where the daemon runs, which has the camera to itself, what that says."""
    if daemon_of(settings.state_dir) is not None and (part := daemon_says(settings.state_dir).get("camera")) is not None:
        if part.state == "failed":
            fix = "check cable and settings of the camera: camera.driver, camera.device"
            return Check("camera", "fail", f"the daemon: {part.words}", fix)
        return Check("camera", "ok", f"the daemon has it: {part.words or part.state}")
    source = open_source(settings.camera)
    try:
        source.open()
        frame = source.read()
        if frame is None:
            raise CameraLost(f"{source.name}: no frame; check the cable")
        height, width = frame.image.shape[:2]
        return Check("camera", "ok", f"{source.name}: {width}x{height}")
    finally:
        source.close()


def _rate(rate: Rate) -> str:
    return f"{rate.value:.1e} (95 % {rate.lower:.1e} to {rate.upper:.1e}{', extrapolated' if rate.extrapolated else ''})"
