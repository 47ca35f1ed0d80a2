"""Names and TTLs as vendors want them."""

from .contract import TxtRecord


def relative(name: str, zone: str) -> str:
    """`_acme-challenge.www` for `_acme-challenge.www.example.com` in `example.com`, `@` where both are the same, the
    name itself where it is not in the zone."""
    if name == zone:
        return "@"
    return name.removesuffix("." + zone) if zone else name


def absolute(name: str) -> str:
    """The name with a final dot, as in zone files."""
    return name.rstrip(".") + "."


def zone_candidates(record: TxtRecord) -> list[str]:
    """The zones to ask the vendor for, longest first: the one that the host found, or each parent of the name."""
    if record.zone:
        return [record.zone]
    labels = record.name.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels))]


def quoted(value: str) -> str:
    """A TXT value as vendors that store zone-file text want it: in quotes, `"` and `\\` escaped. RFC 1035 §5.1"""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
