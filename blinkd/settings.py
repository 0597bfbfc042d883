"""Every setting, typed, with its unit, its default and the reason for it.

settings_file.py reads them. `config/blinkd.toml` explains the same keys to the person who edits the file.
"""

import ipaddress
import zoneinfo
from datetime import time
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

ENV_PREFIX = "BLINKD_"
ENV_DELIMITER = "__"

SHORTEST_KEEPING_DAYS = 31

Seconds = Annotated[float, Field(ge=0, le=86_400)]
Milliseconds = Annotated[int, Field(ge=0, le=600_000)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Cosine = Annotated[float, Field(ge=-1, le=1)]
MqttTopic = Annotated[str, Field(pattern=r"^[^/#+$\s][^#+\s]{0,199}$")]
TerminalId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]  # part of MQTT topics later: no slash, no wildcard


HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]
RelayName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,63}$")]  # part of an MQTT client id
Origin = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.\[\]:-]{1,255}$")]  # of a web server, without a path
Line = Annotated[int, Field(ge=2, le=27)]  # GPIO number (BCM) on the 40-pin header; 0 and 1 belong to the board's own memory chip
LineDriver = Literal["none", "lgpio", "rpigpio"]  # none: nothing is wired


def _address(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("is no IP address; write it like '127.0.0.1', '::1' or '0.0.0.0'") from None
    return value


IpAddress = Annotated[str, AfterValidator(_address)]


class Section(BaseModel):
    """A table of the TOML file; an unknown key in it is an error, so that a typing mistake never passes in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TerminalSettings(Section):
    """Which terminal this is and where it hangs."""

    id: TerminalId = "terminal-1"
    timezone: str = "UTC"  # IANA name; days, shifts and reports are counted in it, storage stays UTC
    others: Annotated[list[TerminalId], NoDecode] = []  # the site's other terminals: a day is final once each has reported past its end
    direction: Literal["both", "in", "out"] = "both"  # in, out: the terminal of an in-door or an out-door; every punch is one then
    trust_hardware_clock: bool = False  # a battery keeps the clock and somebody keeps it right: times count as known without a time server

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The site's time zone."""
        return zoneinfo.ZoneInfo(self.timezone)

    @field_validator("others", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        # a variable is all text: door-2,door-3
        return [name.strip() for name in value.split(",") if name.strip(" ")] if isinstance(value, str) else value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("is no IANA time zone; write it like 'Europe/Madrid' or 'UTC'") from error
        return value


class CameraSettings(Section):
    """Where frames come from and how they are turned upright."""

    driver: Literal["auto", "picamera2", "v4l2", "gstreamer", "stream", "file", "folder"] = (
        "auto"  # auto: picamera2 when importable and a camera answers, else v4l2
    )
    device: str = "/dev/video0"  # v4l2
    url: str = ""  # stream: rtsp:// or http(s):// MJPEG; a password in it is hidden in logs
    pipeline: str = ""  # gstreamer: empty builds nvarguscamerasrc ! … ! appsink from the sizes below
    path: Path | None = None  # file, folder
    width: int = Field(640, ge=160, le=7680)  # pixels; 640x480 is enough at a door and cheap
    height: int = Field(480, ge=120, le=4320)
    fps: float = Field(15.0, gt=0, le=120)  # frames/s; a blink of 100 ms still spans one frame
    rotation: Literal[0, 90, 180, 270] = 0  # degrees clockwise, for a camera mounted on its side
    mirror: bool = False  # left-right; detection does not care, people looking at a preview do
    exposure_us: int | None = Field(None, ge=10, le=1_000_000)  # fixed exposure; none leaves the camera's automatic
    exposure_ev: float = Field(0.0, ge=-8, le=8)  # brightness bias of the automatic exposure, in stops
    stall_timeout_s: float = Field(1.5, ge=0.2, le=60)  # no new frame for so long means lost; noticed within 2 s with the check interval
    reopen_first_s: float = Field(0.5, ge=0.05, le=60)  # first delay before reopening, doubled each time
    reopen_max_s: float = Field(30.0, ge=0.1, le=3600)  # ceiling of that delay: a technician replugging waits no longer

    @model_validator(mode="after")
    def _source_named(self) -> Self:
        if self.driver in ("file", "folder") and self.path is None:
            raise ValueError(f"driver '{self.driver}' needs camera.path, the {self.driver} to read")
        if self.driver == "stream" and not self.url:
            raise ValueError("driver 'stream' needs camera.url, as in 'rtsp://camera.local/stream1'")
        if self.reopen_max_s < self.reopen_first_s:
            raise ValueError(f"reopen_max_s ({self.reopen_max_s}) must not be below reopen_first_s ({self.reopen_first_s})")
        return self


class MotionSettings(Section):
    """The idle gate: no network runs while nothing moves."""

    pixel_delta: int = Field(12, ge=1, le=255)  # grey levels by which a pixel of the small picture must change; above sensor noise
    area_fraction: Fraction = 0.004  # share of changed pixels that counts as movement; a face at 2 m covers more
    hold_s: Seconds = 3.0  # keep looking for so long after the last movement: a person may stand still


class VisionSettings(Section):
    """Detection, landmarks, quality and embedding."""

    detector_range: Literal["short", "long"] = "short"  # short: faces up to 2 m; long: up to 5 m at three times the detector's cost
    detection_score: Fraction = 0.5  # below it a candidate is no face; the networks' own recommendation
    presence_score: Fraction = 0.5  # the mesh network's own opinion that its crop holds a face; below it the track is broken
    track_gap_ms: Milliseconds = 150  # the face may be missed for so long (motion blur) and still be the same unbroken track
    min_face_px: int = Field(48, ge=16, le=1000)  # width between the cheeks; below it an embedding says little
    min_quality: Fraction = 0.25  # of the quality score; a frame below it is not embedded in a session
    enrol_min_quality: Fraction = 0.35  # stricter, for a template is used for years
    embedder: str = "auto"  # name in models/manifest.toml; auto: the cheapest that the gallery's size allows
    visit_budget_ms: Milliseconds = 400  # what five embeddings of a visit may cost under auto; nobody notices it in a visit of 2 s
    precision: Literal["auto", "int8", "fp32", "simulated"] = (
        "auto"  # auto: the faster one if its accuracy holds (models/choice.py); simulated must be asked for by name
    )
    low_light: Literal["off", "gain", "clahe"] = (
        "gain"  # what to do with a dark crop; FACTS of the manifest: CLAHE costs accuracy, gain repairs
    )
    low_light_mean: float = Field(60.0, ge=0, le=255)  # a crop whose mean grey is below it counts as dark
    low_light_target: float = Field(110.0, ge=1, le=255)  # mean grey that the gain brings it to
    threads: int = Field(1, ge=1, le=64)  # of each network; one leaves the other cores to capture and sync


class LivenessSettings(Section):
    """Signs of life, passive cues and the challenge, joined by a policy."""

    policy: Literal["fast", "standard", "strict", "none"] = "standard"  # none is refused by `run` outside demo and tests
    texture_deny: Fraction = 0.4  # mean probability of a live face below which the texture model overrides everything
    texture_doubt: Fraction = 0.75  # and below which it only doubts
    passive_every_ms: Milliseconds = 150  # between looks of the passive cues: neighbouring frames tell nothing new
    fixed_camera: bool = (
        False  # true for a camera that hangs on a wall: then a background that moves is a doubt; hand-held clips move always
    )
    step_s: Seconds = 6.0  # time for one step of a challenge: enough to read and to move, too little to prepare a recording
    ear_closed: float = Field(0.18, gt=0, lt=1)  # eye aspect ratio below which an eye is closed
    ear_open: float = Field(0.22, gt=0, lt=1)  # and above which it is open again
    blink_min_ms: Milliseconds = 30  # shorter is landmark jitter
    blink_max_ms: Milliseconds = 800  # longer is a person who closed the eyes, or a photo with closed eyes
    yaw_left: float = Field(0.42, gt=0, lt=1)  # nose-to-left-cheek / nose-to-right-cheek below which the head is turned left
    yaw_right: float = Field(2.38, gt=1)  # and above which it is turned right

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.ear_open <= self.ear_closed:
            raise ValueError(
                f"ear_open ({self.ear_open}) must be above ear_closed ({self.ear_closed}); the gap keeps jitter from counting as a blink"
            )
        if self.texture_doubt < self.texture_deny:
            raise ValueError(f"texture_doubt ({self.texture_doubt}) must not be below texture_deny ({self.texture_deny})")
        if self.blink_max_ms <= self.blink_min_ms:
            raise ValueError(f"blink_max_ms ({self.blink_max_ms}) must be above blink_min_ms ({self.blink_min_ms})")
        return self


class IdentitySettings(Section):
    """Thresholds of cosine similarity; empty ones follow from the model's impostor scores, the gallery's size and `fpir`."""

    fpir: float = Field(0.001, ge=1e-9, le=0.5)  # one stranger in so many looks may be taken for somebody enrolled; raises the threshold
    margin: float = Field(
        0.05, ge=0, le=0.5
    )  # cosine by which the best must lead the next person; on LFW, 1,000 enrolled, it costs 0.1 % of the right matches and stops 8 % of the wrong
    match_threshold: Cosine | None = None  # at or above: same person, whatever fpir says
    uncertain_threshold: Cosine | None = None  # at or above, but below match: look again
    agreement: Cosine = 0.5  # embeddings along one track must agree at least so much, or a face was swapped


class SessionSettings(Section):
    """One person's visit."""

    timeout_s: Seconds = 10.0  # a visit that has not been decided by then is refused with its reason
    lost_ms: Milliseconds = 700  # the face may be hidden for so long (a hand, a dropped frame) before the session ends
    embeddings: int = Field(3, ge=1, le=20)  # agreeing embeddings wanted before a decision
    embed_every_ms: Milliseconds = 150  # best frames are taken at least so far apart: neighbours tell nothing new
    cooldown_s: Seconds = 3.0  # after a decision the same track is left alone for so long


class AttendanceSettings(Section):
    """Shifts, holidays, and how often one may punch."""

    shifts_file: Path | None = None  # named shifts; without it everybody works the one that shift_start to grace_min describe, every day
    default_shift: str = ""  # of the file: who works it without an assignment; empty: nobody is expected without one
    shift_start: time = time(9, 0)  # local time of the site
    shift_end: time = time(17, 0)  # before it a departure is EARLY_LEAVE, after it OVERTIME; before shift_start means on the next day
    grace_min: int = Field(10, ge=0, le=720)  # minutes after the start, and before the end, that still count as ON_TIME
    direction: Literal["alternate", "window"] = "alternate"  # IN and OUT in turn, or by the half of the shift in which somebody comes
    holidays_file: Path | None = None  # CSV (date,name) or iCalendar
    holidays_country: str = ""  # ISO 3166-1 code, as in "ES": public holidays by the calendar that comes with blinkd
    holidays_subdivision: str = ""  # of the country, as in "MD"
    min_interval_s: Seconds = 60.0  # a second punch of the same person within it is refused as too_soon
    disown_s: Seconds = 30.0  # so long after a punch the person may say "not me"; long enough to read the greeting

    @field_validator("shift_start", "shift_end", mode="before")
    @classmethod
    def _time_of_day(cls, value: object) -> object:
        # pydantic would read 9 as nine seconds past midnight
        if isinstance(value, (int, float)) or (isinstance(value, str) and ":" not in value):
            raise ValueError("is no time of day; write it like 09:00:00")
        return value

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.shift_start == self.shift_end:
            raise ValueError(
                f"shift_end ({self.shift_end:%H:%M:%S}) is the same as shift_start, so nobody would work; give it an end of its own"
            )
        return self


class DoorSettings(Section):
    """The lock, and what is wired to the door."""

    driver: LineDriver = "none"  # gpiozero's way to the lines; lgpio is the one that knows every Raspberry Pi, the 5 among them
    lock_line: Line | None = None  # of the relay that unlocks; the relay falls back to locked
    active_high: bool = True  # the line is high while unlocked; false for relay boards that a low line switches
    pulse_s: float = Field(5.0, ge=0.2, le=60)  # unlocked for so long: enough to reach the handle, too short for a second visitor
    check_out_unlocks: bool = True  # a terminal of both directions lets through whom it checks out, too
    entry_unlocks: bool = True  # a PIN or a badge opens as a face does; false: they are recorded only
    contact_line: Line | None = None  # of the contact to ground that is closed while the door is; a cut cable reads as open
    held_open_s: Seconds = 30.0  # open for longer is an alarm; 0: never
    exit_line: Line | None = None  # of the button to ground by which people leave

    @model_validator(mode="after")
    def _wired(self) -> Self:
        if self.driver != "none" and self.lock_line is None:
            raise ValueError("driver is set and lock_line is not; give the GPIO number of the relay, or set driver to 'none'")
        return self


class SignalSettings(Section):
    """Lights and a buzzer beside the display."""

    driver: LineDriver = "none"  # as of the door
    green_line: Line | None = None  # granted, and please look
    red_line: Line | None = None  # refused, and trouble
    buzzer_line: Line | None = None  # of a buzzer that sounds by itself
    active_high: bool = True  # a high line is light and sound

    @model_validator(mode="after")
    def _wired(self) -> Self:
        if self.driver != "none" and self.green_line is None and self.red_line is None and self.buzzer_line is None:
            raise ValueError("driver is set and no line is; give green_line, red_line or buzzer_line, or set driver to 'none'")
        return self


class EntrySettings(Section):
    """PIN and badge, for whom the camera cannot do."""

    enabled: bool = False  # weaker than a face with signs of life: the site decides
    device: Path | None = None  # keypad, card or QR reader that types, as /dev/input/by-id/…-event-kbd; None: no such reader
    pin: bool = True  # take PINs
    badge: bool = True  # take badges
    pin_digits: int = Field(6, ge=4, le=12)  # at least, when a PIN is set; with the back-off six last for years of guessing
    timeout_s: float = Field(15.0, ge=3, le=120)  # without a key for so long, and what was typed is forgotten
    camera: bool = False  # badges are shown to the terminal's camera, too: costs some milliseconds of each frame that is looked at
    camera_every_ms: int = Field(500, ge=100, le=10_000)  # between such looks
    free_tries: int = Field(3, ge=1, le=20)  # wrong PINs of one person before waiting begins
    wait_first_s: float = Field(30.0, ge=1, le=3600)  # then, doubled with each wrong one
    wait_most_s: float = Field(900.0, ge=1, le=86_400)  # and no longer than that: a stranger must not lock somebody out for days
    terminal_free_tries: int = Field(10, ge=1, le=1000)  # wrong PINs, numbers and badges of anybody within about as many minutes

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.enabled and not (self.pin or self.badge):
            raise ValueError("enabled is true while pin and badge are false, so nothing could be entered; set one of them to true")
        if self.enabled and self.device is None and not (self.badge and self.camera):
            raise ValueError("enabled is true, but there is nothing to enter with; set device, or badge and camera to true")
        if self.wait_most_s < self.wait_first_s:
            raise ValueError(f"wait_most_s ({self.wait_most_s:g}) must not be below wait_first_s ({self.wait_first_s:g})")
        return self


class PrivacySettings(Section):
    """How long what is kept, and what becomes of a deleted person's hours."""

    deleted_hours: Literal["id", "pseudonym", "erase"] = (
        "pseudonym"  # payroll may still need the hours, nobody needs to see whose they were
    )
    scan_log_days: int = Field(90, ge=0, le=36_500)  # 0: for ever; long enough to answer why somebody was not let in
    punches_days: int = Field(0, ge=0, le=36_500)  # 0: for ever; how long hours must be kept is a matter of law

    @field_validator("punches_days")
    @classmethod
    def _a_month_at_least(cls, value: int) -> int:
        if 0 < value < SHORTEST_KEEPING_DAYS:
            raise ValueError(
                f"is too short: a month is not yet paid then; set {SHORTEST_KEEPING_DAYS} or more, or 0 to keep punches for ever"
            )
        return value


class BackupSettings(Section):
    """Copies of everything that the terminal keeps, encrypted, made once a day by `blinkd upkeep`."""

    folder: Path | None = None  # of another disk or a network mount; none: no back-ups
    keep: int = Field(7, ge=1, le=3650)  # how many of this terminal's stay there; somebody who was deleted is in them until they are gone
    other_disk: bool = (
        True  # refuse a folder of the disk that the state is on: mostly a mount that is not there, and no help when a card dies
    )


class StoreSettings(Section):
    """The database on the terminal."""

    min_free_mb: int = Field(50, ge=0, le=100_000)  # below so much free space doctor warns and enrolment is refused; punches go on
    busy_timeout_ms: Milliseconds = 5_000  # how long a writer waits for another before it gives up


class LogSettings(Section):
    """What is written to the log (the journal, or standard error)."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class SyncSettings(Section):
    """The way to the relay."""

    broker: str = ""  # name or address of the MQTT broker; empty: nothing is sent, everything waits
    port: int = Field(8883, ge=1, le=65_535)  # of MQTT over TLS
    ca_file: Path | None = None  # the authority's certificate; None: ca.pem in the state folder
    certificate_file: Path | None = None  # this terminal's; None: terminal.pem in the state folder
    key_file: Path | None = None  # of that certificate; None: tls.key in the state folder
    mqtt_version: Literal[4, 5] = 5  # 4 is MQTT 3.1.1, for brokers that know no newer one
    batch: int = Field(100, ge=1, le=500)  # entries in a message: some 180 kB, which a slow line carries in seconds
    in_flight: int = Field(8, ge=1, le=64)  # messages that wait for their receipt: enough to keep a line of 200 ms busy, and 2 MB of memory
    origin_salt: str = Field("", max_length=200)  # of the mobile app's envelopes of version 1, which `people adopt` reads
    relay_url: str = ""  # of the relay's HTTP API, which carries claims and renewals of certificates; empty: they are carried by hand
    keepalive_s: int = Field(30, ge=5, le=120)  # a line that is silent for one and a half times as long is dead; the broker allows 120


class RelaySettings(Section):
    """The cloud side: what it takes from the broker, and its HTTP API. Its database is named by the variable DATABASE_URL."""

    broker: str = ""  # name or address of the MQTT broker; empty: only the HTTP API is served
    port: int = Field(8884, ge=1, le=65_535)  # the relays' door of config/mosquitto.conf
    ca_file: Path = Path("/etc/blinkd/relay/ca.pem")  # the authority of the broker's and the terminals' certificates
    crl_file: Path | None = None  # its list of revoked certificates; those that the registry names count without it
    certificate_file: Path = Path("/etc/blinkd/relay/relay.pem")
    key_file: Path = Path("/etc/blinkd/relay/relay.key")
    mqtt_version: Literal[4, 5] = 5
    share: bool = True  # share the messages with other relays; off only for a broker that cannot (MQTT 3.1.1) and a single relay
    name: RelayName = ""  # of this process at the broker, one for each; empty: the machine's name, and a random word where it shares
    gather_ms: int = Field(20, ge=0, le=1_000)  # waits so long for more messages, which are then committed together
    gather_most: int = Field(
        40, ge=1, le=100
    )  # messages in a transaction; the broker hands out 100 at most before it wants acknowledgements
    plain_records: bool = False  # take the mobile app's names, ids and times in clear; sealed records are taken always
    dashboard: bool = (
        True  # serve the organisation's pages at /dashboard/; they open what is sealed in the browser, by the organisation password
    )
    dashboard_origins: Annotated[list[Origin], NoDecode] = []  # other servers whose copy of these pages may read this relay with a token
    claims: bool = False  # hold the requests of new terminals until they are approved; needs no token, so it is off unless it is wanted
    http_host: str = "127.0.0.1"  # beyond this machine only over TLS, its own or that of a proxy
    http_port: int = Field(8000, ge=1, le=65_535)  # as in the origin
    http_certificate: Path | None = None  # PEM, with its chain
    http_key: Path | None = None  # PEM
    http_proxies: Annotated[list[str], NoDecode] = []  # addresses of proxies that end TLS; their X-Forwarded-For is believed
    http_rate: int = Field(600, ge=1, le=1_000_000)  # requests a minute of each token and process
    http_address_rate: int = Field(1200, ge=1, le=1_000_000)  # of each address: a site's clients share one
    http_embedding_rate: int = Field(60, ge=1, le=1_000_000)  # pictures of each token: each costs tenths of a second of a processor

    @field_validator("http_proxies", "dashboard_origins", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        # a variable is all text: 10.0.0.1,10.0.0.2
        return [one.strip() for one in value.split(",") if one.strip(" ")] if isinstance(value, str) else value

    @field_validator("http_proxies")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        for one in value:
            try:
                ipaddress.ip_network(one)
            except ValueError:
                raise ValueError("is no IP address or network; write it like '10.0.0.1' or '10.0.0.0/24'") from None
        return value


class MetricsSettings(Section):
    """Figures for Prometheus, over HTTP without a password: no name and no person's id is among them."""

    enabled: bool = False  # who does not ask opens no port
    host: IpAddress = (
        "127.0.0.1"  # an IP address, for a name would have to be looked up; beyond this machine everybody in the network may read
    )
    port: int = Field(9464, ge=1, le=65_535)  # as exporters of OpenTelemetry have it


class WebSettings(Section):
    """The terminal's own pages: kiosk and administration."""

    enabled: bool = True  # a terminal without display is administered by them, too
    host: IpAddress = "127.0.0.1"  # an IP address; beyond this machine only over TLS, and then at tls_port
    port: int = Field(8480, ge=1, le=65_535)  # on this machine, without TLS: nobody else hears what goes by
    tls_port: int = Field(8443, ge=1, le=65_535)  # of `host`, where that is beyond this machine; the kiosk is not served there
    certificate: Path | None = None  # PEM, with its chain
    key: Path | None = None  # PEM; the daemon's user must be able to read it
    names: Annotated[list[HostName], NoDecode] = []  # by which browsers ask for the pages, beside the machine's own and its addresses
    session_idle_min: int = Field(15, ge=1, le=720)  # minutes without a request after which an operator must log in anew

    @field_validator("names", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        # a variable is all text: door.example.org,door
        return [name.strip() for name in value.split(",") if name.strip(" ")] if isinstance(value, str) else value

    @property
    def opened(self) -> bool:
        """Whether others in the network reach the pages."""
        return not ipaddress.ip_address(self.host).is_loopback

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("certificate and key belong together; give both, or neither")
        if self.opened and self.certificate is None:
            raise ValueError(
                f"host {self.host} is beyond this machine, and passwords would travel in clear; set certificate and key, or host to 127.0.0.1"
            )
        if self.opened and self.port == self.tls_port:
            raise ValueError(f"port and tls_port are both {self.port}; give each its own")
        return self


class KioskSettings(Section):
    """The page on the terminal's display."""

    language: str = Field("en", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")  # of a file in blinkd/web/languages
    theme: Literal["auto", "bright", "dark"] = "auto"  # auto: as the browser prefers, which is bright unless it is told otherwise
    sound: bool = True  # tones beside colour and shape
    volume: Fraction = 0.4  # of the loudest that the machine's own setting allows
    greeting_s: float = Field(5.0, ge=1, le=60)  # for how long a greeting or a refusal stays, unless somebody else comes
    fps: float = Field(15.0, gt=0, le=60)  # pictures/s of the mirror view at most; none is made while nobody watches
    picture_px: int = Field(640, ge=160, le=1920)  # longer side of its pictures; larger ones are made smaller first
    jpeg_quality: int = Field(80, ge=30, le=95)  # of its pictures; below 60 blocks are seen


class HomeAssistantSettings(Section):
    """The way to Home Assistant: MQTT discovery by a broker of the house, which is not the relay's."""

    broker: str = ""  # name or address; empty: Home Assistant is told nothing
    tls: bool = True  # without it password and presence are readable on the way
    port: int = Field(8883, ge=1, le=65_535)  # 1883 is usual without TLS
    ca_file: Path | None = None  # authority of the broker's certificate; None: those that the system trusts
    user: str = Field("", max_length=200)  # at the broker; empty: no user, no password
    password_file: Path | None = None  # None: the systemd credential; a password in this file would be read by too many
    discovery_prefix: MqttTopic = "homeassistant"  # Home Assistant's own default
    birth_topic: MqttTopic = "homeassistant/status"  # likewise; where it says that it has started
    names: bool = False  # whether events say who; the house's automation need not know


class Settings(BaseSettings):
    """All settings; build it with `load_settings`."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER, extra="forbid", frozen=True)

    state_dir: Path = Path("/var/lib/blinkd")  # database, keys, set-aside files; systemd's StateDirectory
    models_dir: Path | None = None  # empty: the models that came with the program
    terminal: TerminalSettings = TerminalSettings()
    camera: CameraSettings = CameraSettings()
    motion: MotionSettings = MotionSettings()
    vision: VisionSettings = VisionSettings()
    liveness: LivenessSettings = LivenessSettings()
    identity: IdentitySettings = IdentitySettings()
    session: SessionSettings = SessionSettings()
    attendance: AttendanceSettings = AttendanceSettings()
    door: DoorSettings = DoorSettings()
    signals: SignalSettings = SignalSettings()
    entry: EntrySettings = EntrySettings()
    privacy: PrivacySettings = PrivacySettings()
    store: StoreSettings = StoreSettings()
    backup: BackupSettings = BackupSettings()
    sync: SyncSettings = SyncSettings()
    relay: RelaySettings = RelaySettings()
    metrics: MetricsSettings = MetricsSettings()
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()
    web: WebSettings = WebSettings()
    kiosk: KioskSettings = KioskSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over the values of the file, which `load_settings` hands in as init values."""
        return env_settings, init_settings
