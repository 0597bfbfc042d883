"""Verbs on one picture: identify and embed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from blinkd.capture.pictures import read_picture
from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.parts import Parts
from blinkd.settings import Settings

Picture = Annotated[Path, typer.Argument(metavar="IMAGE", help="JPEG, PNG, WebP, BMP or TIFF.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command("identify")(identify)
    app.command("embed")(embed)


def identify(context: typer.Context, image: Picture, as_json: bool = JsonFlag) -> None:
    """Find every face in a picture and say who it is, largest face first; a picture without a face gives an empty list."""
    settings: Settings = context.obj
    parts = Parts(settings, gallery=True)
    picture = read_picture(image)
    with parts.open_store(read_only=True) as store:
        matcher = parts.matcher(parts.gallery(store))
        faces: list[dict[str, Any]] = []
        for face in parts.analyser.faces(picture):
            sample = parts.reader.look(picture, face)
            found = matcher.identify(parts.reader.embed(sample))
            name = store.people.name_of(found.person_id) if found.person_id is not None else None
            faces.append(
                {
                    "bbox": [round(value, 1) for value in face.bbox],
                    "score": round(face.score, 4),
                    "quality": round(sample.quality.score, 4),
                    "match": {
                        "verdict": found.verdict,
                        "person_id": found.person_id,
                        "name": name,
                        "similarity": round(found.similarity, 4),
                        "threshold": round(found.threshold, 4),
                    },
                }
            )
    if as_json:
        print_json({"faces": faces})
        return
    out = console()
    if not faces:
        out.print(f"{image}: no face found")
    for number, entry in enumerate(faces, 1):
        who = entry["match"]
        named = f"{who['name']} ({who['person_id']})" if who["person_id"] else "nobody enrolled"
        out.print(
            f"face {number}: {who['verdict']}: {named}, similarity {who['similarity']:.2f} (threshold {who['threshold']:.2f}), "
            f"quality {entry['quality']:.2f}, at {entry['bbox']}",
            markup=False,
        )


def embed(context: typer.Context, image: Picture, as_json: bool = JsonFlag) -> None:
    """Print the embedding of the largest face; exit code 1 when there is no face."""
    parts = Parts(context.obj)
    picture = read_picture(image)
    faces = parts.analyser.faces(picture)
    if not faces:
        message = f"{image}: no face found; use a picture of a person looking into the camera"
        if as_json:
            print_json({"success": False, "error": "no_face", "message": message})
        else:
            console().print(message, markup=False)
        raise typer.Exit(1)
    embedding = parts.reader.embed(parts.reader.look(picture, faces[0]))
    embedder = parts.embedder
    answer = {
        "success": True,
        "embedding": [float(value) for value in embedding],
        "dimension": embedder.dimension,
        "model": embedder.model_id,
        "model_precision": embedder.precision,
    }
    if as_json:
        print_json(answer)
    else:
        console().print(
            f"{embedder.dimension}-D embedding of {image} by {embedder.model_id} ({embedder.precision}); --json prints it", markup=False
        )
