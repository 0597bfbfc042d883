"""The least that a relay does: store, commit, receipt, acknowledge. Arguments: port, CA, certificate, key, name. DATABASE_URL is set.

It stands in for `blinkd relay run` where the harness itself is tried.
"""

import json
import os
import queue
import sys

import paho.mqtt.client as paho
import psycopg

from tests.services.mqtt import context

GROUP = "$share/relays-5f0c/"
CONNECT_S = 2


def main(port: str, ca: str, certificate: str, key: str, name: str) -> None:
    arrived: queue.Queue[paho.MQTTMessage] = queue.Queue()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, name, protocol=paho.MQTTv5, manual_ack=True)
    client.tls_set_context(context(ca, (certificate, key)))
    client.reconnect_delay_set(0.05, 0.2)
    client.on_connect = lambda *_: client.subscribe(GROUP + "blink/v1/+/+/attendance", 1)
    client.on_message = lambda _c, _u, message: arrived.put(message)
    client.connect_async("127.0.0.1", int(port), keepalive=5, clean_start=True)
    client.loop_start()
    sys.stderr.write("ready\n")
    while True:
        try:
            with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=CONNECT_S) as database:
                while True:
                    handle(client, database, arrived.get())
        except psycopg.OperationalError as error:
            sys.stderr.write(f"database: {error}\n")  # what was in hand is sent again by the terminal


def handle(client: paho.Client, database: psycopg.Connection, message: paho.MQTTMessage) -> None:
    terminal, numbers = message.topic.split("/")[3], json.loads(message.payload)
    with database.cursor() as cursor:
        cursor.executemany("INSERT INTO entries VALUES (%s, %s) ON CONFLICT DO NOTHING", [(terminal, number) for number in numbers])
    database.commit()
    client.publish(f"blink/v1/acme/{terminal}/receipt", json.dumps(numbers), 1)
    client.ack(message.mid, message.qos)


if __name__ == "__main__":
    main(*sys.argv[1:])
