"""The `{{name}}` DNS-01 provider.

The API at `api.example.com` is made up. Put your vendor's in its place, here and in `conformance.json`.
"""

from dataclasses import dataclass

from acme_manager_plugin import Description, DnsProvider, ErrorKind, Key, PluginError, TxtRecord, dns, env, export, http

TOKEN = "{{NAME}}_API_TOKEN"
BASE_URL = "{{NAME}}_API_URL"
DEFAULT_URL = "https://api.example.com/v1"
PREFIX = "{{NAME}}_"
"""What the keys of times begin with: `{{NAME}}_TTL` and so on."""
DEFAULT_TTL = 120


@dataclass
class Record:
    """A TXT record, as the API answers it."""

    id: str
    value: str


@dataclass
class Records:
    """What the API answers to a search."""

    records: list[Record]


class {{Type}}Plugin(DnsProvider):
    """The provider; an object lives for one call."""

    def __init__(self) -> None:
        self.api = http.Client(env.optional(BASE_URL, DEFAULT_URL), auth=http.bearer(env.required(TOKEN)))
        self.ttl = env.ttl(PREFIX, DEFAULT_TTL)

    # Works without environment and network: the server asks when it loads the plugin.
    @staticmethod
    def describe() -> Description:
        return Description(
            name="{{name}}",
            version="0.1.0",
            homepage="https://example.com/docs/api",
            hosts=("api.example.com",),
            environment=(
                Key(TOKEN, "API token that may edit DNS records", required=True, secret=True),
                Key(BASE_URL, "Address of the API", endpoint=True, default=DEFAULT_URL),
            ),
        ).with_times(PREFIX, ttl=DEFAULT_TTL, propagation_timeout=60, polling_interval=5)

    # Only reads. What is wrong with the token is found out before a certificate is ordered.
    def check(self) -> None:
        self.api.get("account")

    # A value that is there already is a success, and other values at the name stay.
    def present(self, record: TxtRecord) -> str:
        zone = self._zone(record)
        found = self._find(zone, record)
        # Memory does not live until `cleanup`, this text does.
        return f"{zone}/{found[0].id if found else self._create(zone, record).id}"

    # Removes exactly this value; one that is gone is a success.
    def cleanup(self, record: TxtRecord, handle: str) -> None:
        if handle:
            zone, _, id = handle.partition("/")
            self._delete(zone, id)
            return
        # Without a handle (the server died before it had one) the value is looked up.
        try:
            zone = self._zone(record)
        except PluginError as error:
            if error.kind is ErrorKind.ZONE_NOT_FOUND:
                return
            raise
        for found in self._find(zone, record):
            self._delete(zone, found.id)

    def _zone(self, record: TxtRecord) -> str:
        """The zone of the account that holds the name: usually the one that the host found, the first candidate."""
        for zone in dns.zone_candidates(record):
            if self.api.get(f"zones/{http.segment(zone)}", accept=(404,)).is_success:
                return zone
        raise PluginError.zone_not_found(record.name)

    def _find(self, zone: str, record: TxtRecord) -> list[Record]:
        """The records that hold exactly this value."""
        answer = self.api.get(_records(zone), query={"type": "TXT", "name": record.name}).json(Records)
        return [found for found in answer.records if found.value == record.value]

    def _create(self, zone: str, record: TxtRecord) -> Record:
        new = {"type": "TXT", "name": record.name, "value": record.value, "ttl": record.ttl or self.ttl}
        return self.api.post(_records(zone), json=new).json(Record)

    def _delete(self, zone: str, id: str) -> None:
        self.api.delete(f"{_records(zone)}/{http.segment(id)}", accept=(404,))


def _records(zone: str) -> str:
    return f"zones/{http.segment(zone)}/records"


Provider = export({{Type}}Plugin)
