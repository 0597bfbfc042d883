"""Who appears in the demos, and in what."""

DEMO_RECORDING = "noface_face.mov"  # an empty room, then a man who walks up and blinks
DEMO_PEOPLE = (  # name, staff number, picture; the first is the man of the recording, some years earlier
    ("Sam Sample", "E-1001", "single_face.jpg"),
    ("Robin Sample", "E-1002", "obama.jpg"),
    ("Kim Sample", "E-1003", "biden.jpg"),
)
