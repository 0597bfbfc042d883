"""A daemon that is running takes over what a command in another process has changed."""

import contextlib
import subprocess
import sys
from pathlib import Path
from threading import Event

import numpy as np

from blinkd.daemon import Duty
from blinkd.settings import Settings
from blinkd.store.database import Store
from blinkd.supervision.notify import Notifier

ENROL = """
import sys, numpy as np
from pathlib import Path
from types import SimpleNamespace
from blinkd.settings import StoreSettings
from blinkd.store.database import Store
vector = np.eye(192, dtype=np.float32)[0]
with Store.open(Path(sys.argv[1]), StoreSettings()) as store:
    store.people.enrol("a", "Ana", [SimpleNamespace(vectors={"mobilefacenet": vector}, quality=1.0, source="test", view="front", label="")])
"""
DELETE = """
import sys
from pathlib import Path
from blinkd.settings import StoreSettings
from blinkd.store.database import Store
with Store.open(Path(sys.argv[1]), StoreSettings()) as store:
    store.people.erase("a", keep_id=True)
"""


def test_people_enrolled_and_deleted_by_other_processes_reach_the_running_gallery(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    with Store.open(tmp_path, settings.store) as store, contextlib.closing(Duty(settings, None, store, Notifier({}), Event())) as duty:
        gallery = duty._gallery
        duty._follow()
        subprocess.run([sys.executable, "-c", ENROL, str(tmp_path)], check=True)
        duty._follow()
        best, _ = gallery.search(np.eye(192, dtype=np.float32)[0])
        assert best is not None
        assert best.person_id == "a"
        subprocess.run([sys.executable, "-c", DELETE, str(tmp_path)], check=True)
        duty._follow()
        assert len(gallery) == 0
