"""The least that a terminal does: rows that are there until a relay's receipt. Arguments: port, CA, certificate, key, name, database.

It stands in for `blinkd run` where the harness itself is tried. A receipt names the rows that are stored.
"""

import json
import queue
import sqlite3
import sys

import paho.mqtt.client as paho

from tests.services.mqtt import context

AGAIN_S = 0.5  # after which what has no receipt is sent again
AT_ONCE = 20


def main(port: str, ca: str, certificate: str, key: str, name: str, database: str) -> None:
    store = sqlite3.connect(database, isolation_level=None)
    receipts: queue.Queue[list[int]] = queue.Queue()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, name, protocol=paho.MQTTv5)
    client.tls_set_context(context(ca, (certificate, key)))
    client.reconnect_delay_set(0.05, 0.2)
    client.on_connect = lambda *_: client.subscribe(f"blink/v1/acme/{name}/receipt", 1)
    client.on_message = lambda _c, _u, message: receipts.put(json.loads(message.payload))
    client.connect_async("127.0.0.1", int(port), keepalive=5, clean_start=True)
    client.loop_start()
    sys.stderr.write("ready\n")
    while True:
        rows = [row for (row,) in store.execute("SELECT number FROM outbox ORDER BY number LIMIT ?", [AT_ONCE])]
        if rows and client.is_connected():
            client.publish(f"blink/v1/acme/{name}/attendance", json.dumps(rows), 1)
        try:
            stored = receipts.get(timeout=AGAIN_S)
        except queue.Empty:
            continue
        store.executemany("DELETE FROM outbox WHERE number = ?", [[number] for number in stored])


if __name__ == "__main__":
    main(*sys.argv[1:])
