"""Who writes: invented people of invented firms. Names are chosen to be of many scripts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Firm:
    """A counterparty. `country` is what goes into `string:Country`."""

    name: str
    domain: str
    country: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a desk at a firm."""

    name: str
    mailbox: str
    role: str
    firm: Firm

    @property
    def address(self) -> str:
        """As a `From` header has it."""
        return f"{self.name} <{self.mailbox}@{self.firm.domain}>"


OURS = Firm("Lindqvist Bank", "lindqvistbank.example", "uk")
FIRMS = (
    Firm("Harrow & Pike Asset Management", "harrowpike.example", "uk"),
    Firm("Rheinhafen Kapital", "rheinhafen.example", "de"),
    Firm("Banque du Lac Clair", "lacclair.example", "fr"),
    Firm("Kestrel Clearing", "kestrelclearing.example", "us"),
    Firm("Ōmori Securities", "omori-sec.example", "jp"),
    Firm("Przystań Inwestycje", "przystan.example", "pl"),
    Firm("Ağrı Yatırım", "agriyatirim.example", "tr"),
    Firm("Nordvik Pensjon", "nordvik.example", "no"),
)
SPAMMERS = (
    Firm("Golden Yield Club", "golden-yield-club.example", "xx"),
    Firm("PrimeLeads24", "primeleads24.example", "xx"),
    Firm("Webinar Hub", "webinar-hub.example", "xx"),
)
NAMES = (
    ("Imogen Faulkner", "imogen.faulkner"),
    ("Jürgen Weißmüller", "j.weissmueller"),
    ("Zoë Ní Bhriain", "zoe.nibhriain"),
    ("Łukasz Żółtowski", "lzoltowski"),
    ("Ayşe Gökçe", "ayse.gokce"),
    ("田中 翔太", "tanaka"),
    ("Νίκος Παπαδόπουλος", "npapadopoulos"),
    ("Олена Ткаченко", "tkachenko"),
    ("Søren Ødegård", "sodegard"),
    ("François L'Écuyer", "flecuyer"),
    ("María José Peña", "mj.pena"),
    ("Nguyễn Thị Hạnh", "hanh.nguyen"),
    ("Oluwaseun Adébáyò", "seun.adebayo"),
    ("דניאל כהן", "dcohen"),
    ("Priya Raghunathan", "praghunathan"),
    ("Tom Okafor-Hale", "tokaforhale"),
)
ROLES = (
    "Settlements",
    "Collateral Operations",
    "Middle Office",
    "Client Service",
    "Fee Control",
    "Treasury",
    "Custody",
)
