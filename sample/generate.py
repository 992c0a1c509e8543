"""Write sample/leads.csv: 300 leads of a fictional analytics vendor, and three rows that an import rejects.

    python sample/generate.py

Every run writes the same bytes. The people and companies are made up, and the addresses are under `.example`,
which RFC 2606 reserves, so no mail can reach anyone.
"""

import csv
import random
import re
import unicodedata
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

SEED = 20_260_901
AS_OF = date(2026, 9, 1)
COLUMNS = (
    "Lead ID",
    "E-mail",
    "First name",
    "Last name",
    "Company",
    "Country",
    "City",
    "Time zone",
    "Industry",
    "Topic",
    "Job level",
    "Company size",
    "Source",
    "Came in by",
    "Came in on",
    "Last deal",
    "Last deal on",
    "Lost reason",
    "Last activity",
    "Last activity on",
    "E-mail opt-out",
    "Audience",
)
AUDIENCES = ("new",) * 170 + ("lost",) * 70 + ("dormant",) * 60

# First names; last names; places as city, country, time zone. An empty zone is left to the import.
PEOPLE = (
    (
        "Emma Olivia James Grace Daniel Hannah Marcus Chloe Ethan Naomi",
        "Carter Hughes Bennett Morgan Foster Reyes Coleman Whitaker Brooks Sullivan",
        (
            ("New York", "United States", "America/New_York"),
            ("Chicago", "United States", "America/Chicago"),
            ("Seattle", "US", "America/Los_Angeles"),
            ("Toronto", "Canada", ""),
            ("London", "United Kingdom", ""),
            ("Sydney", "Australia", "Australia/Sydney"),
            ("Auckland", "New Zealand", ""),
        ),
    ),
    (
        "Lena Jürgen Anneliese Felix Käthe Matthias Sophie Björn",
        "Schäfer Vogel Brandt Krüger Lindner Hofmann Weiß Baumgartner",
        (("Berlin", "Germany", ""), ("Wien", "Austria", ""), ("Zürich", "Switzerland", "Europe/Zurich")),
    ),
    (
        "Camille Zoé Étienne Luc Margaux Théo Inès Baptiste",
        "Lefèvre Moreau Garnier Rousseau Chevalier Dubois Perrin Marchand",
        (("Paris", "France", ""), ("Lyon", "FR", ""), ("Montréal", "Canada", "America/Toronto")),
    ),
    (
        "Lucía Mateo Valentina Joaquín Sofía Andrés Ximena Ignacio",
        "García Fernández Ortega Ramírez Castillo Herrera Vargas Núñez",
        (
            ("Madrid", "Spain", ""),
            ("Ciudad de México", "Mexico", "America/Mexico_City"),
            ("Bogotá", "Colombia", ""),
            ("Santiago", "Chile", ""),
            ("Buenos Aires", "Argentina", ""),
        ),
    ),
    (
        "João Beatriz Rafael Mariana Tiago Larissa",
        "Silva Almeida Ferreira Carvalho Ribeiro Gonçalves",
        (("São Paulo", "Brazil", ""), ("Lisboa", "Portugal", "")),
    ),
    (
        "Giulia Marco Chiara Lorenzo Elena Davide",
        "Rinaldi Conti Ferrari Moretti Galli Esposito",
        (("Milano", "Italy", "Europe/Rome"),),
    ),
    (
        "Łukasz Agnieszka Tomáš Zuzana Ștefan Ioana Péter Eszter",
        "Kowalczyk Nowak Dvořák Novotný Popescu Ionescu Szabó Horváth",
        (
            ("Warszawa", "Poland", ""),
            ("Praha", "Czechia", ""),
            ("Bucureşti", "Romania", ""),
            ("Budapest", "Hungary", ""),
        ),
    ),
    (
        "Astrid Søren Freja Mikael Aino Eino Ingrid Håkon",
        "Lindström Nielsen Bergström Virtanen Korhonen Hansen Dahl Åkesson",
        (
            ("Stockholm", "Sweden", ""),
            ("København", "Denmark", ""),
            ("Helsinki", "Finland", ""),
            ("Oslo", "Norway", ""),
        ),
    ),
    (
        "Priya Arjun Ananya Rohan Kavya Vikram Meera Sanjay",
        "Sharma Iyer Patel Reddy Chatterjee Nair Deshmukh Kapoor",
        (("Mumbai", "India", ""), ("Bengaluru", "India", "Asia/Kolkata"), ("Singapore", "Singapore", "")),
    ),
    (
        "Wei Mei Jun Xiaoling Haoran Yuting",
        "Chen Wang Liu Zhang Huang Lin",
        (("Shanghai", "China", ""), ("Taipei", "Taiwan", ""), ("Hong Kong", "Hong Kong", "")),
    ),
    (
        "Haruka Kenji Yuki Takumi Aiko Sora",
        "Tanaka Suzuki Watanabe Kobayashi Mori Ishikawa",
        (("Tokyo", "Japan", ""), ("Osaka", "JP", "")),
    ),
    (
        "Minjun Seoyeon Jiho Haeun",
        "Kim Park Choi Yoon",
        (("Seoul", "South Korea", ""),),
    ),
    (
        "Amina Chidi Folake Kwame Wanjiru Thabo Zanele Tunde",
        "Okafor Adeyemi Mensah Kamau Nkosi Dlamini Balogun Otieno",
        (
            ("Lagos", "Nigeria", ""),
            ("Accra", "Ghana", ""),
            ("Nairobi", "Kenya", ""),
            ("Johannesburg", "South Africa", ""),
        ),
    ),
    (
        "Layla Omar Yasmin Karim Nour Tariq",
        "Haddad Al-Sayed Mansour Farouk Nasser Khalil",
        (("Dubai", "UAE", ""), ("Cairo", "Egypt", ""), ("Riyadh", "Saudi Arabia", ""), ("Casablanca", "Morocco", "")),
    ),
    (
        "Elif Mehmet Defne Burak",
        "Yılmaz Demir Kaya Aydın",
        (("İstanbul", "Türkiye", ""),),
    ),
    (
        "Linh Minh Siti Budi Maria Jose",
        "Nguyen Tran Rahman Santoso Reyes Santos",
        (("Hanoi", "Vietnam", ""), ("Jakarta", "Indonesia", "Asia/Jakarta"), ("Manila", "Philippines", "")),
    ),
)
INDUSTRIES = {
    "Manufacturing": ("Werks", "Castings", "Components", "Tooling"),
    "Retail": ("Stores", "Outfitters", "Market", "Goods"),
    "Healthcare": ("Clinics", "Health", "Care Group", "Diagnostics"),
    "Financial services": ("Capital", "Credit", "Insurance", "Bank"),
    "Education": ("Academy", "Learning", "College", "Schools"),
    "Logistics": ("Freight", "Lines", "Couriers", "Depot"),
}
COMPANIES = (
    "Alder Birchfield Cobalt Driftwood Eastgate Fernhill Granite Harbour Ironbridge Juniper Kestrel Larkspur "
    "Meridian Nimbus Oakmont Pinecrest Quarry Ridgeway Saffron Tidewater Umber Violet Westmark Yarrow Zephyr"
)
TOPICS = ("Data quality", "Forecasting", "Dashboards", "Data governance")
JOB_LEVELS = (
    "C-level",
    "VP",
    "Director",
    "Head of department",
    "Manager",
    "Manager",
    "Senior",
    "Analyst",
    "Analyst",
    "",
)
SIZES = ("1-10", "11-50", "51-200", "51-200", "201-500", "501-1,000", "1,001-5,000", "Over 5,000", "not known")
SOURCES = ("Organic search", "Organic search", "Google", "Referral", "Partner", "Trade show", "LinkedIn", "Direct")
LOST_REASONS = ("Price", "Timing", "No budget", "Chose a competitor", "Missing feature", "No decision")
ACTIVITIES = ("Visited website", "Visited website", "Clicked in e-mail", "Attended webinar", "")
_NO_ACCENT: dict[str, str | int | None] = {"ł": "l", "Ł": "L", "ø": "o", "ß": "ss", "ı": "i"}


def pick(rng: random.Random, choices: Sequence[T]) -> T:
    """One of them. Python promises that random() draws the same for a seed in every version, and no more."""
    return choices[int(rng.random() * len(choices))]


def before(rng: random.Random, soonest: int, latest: int) -> date:
    """A day from `soonest` to `latest` days before AS_OF."""
    return AS_OF - timedelta(days=soonest + int(rng.random() * (latest - soonest + 1)))


def ascii_slug(text: str) -> str:
    """Lower-case letters and digits; what has no plain letter inside is spelled out."""
    spelled = text.translate(str.maketrans(_NO_ACCENT))
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKD", spelled).lower())


def lead(rng: random.Random, number: int, audience: str) -> dict[str, str]:
    """One plausible lead; its columns agree with each other."""
    firsts, lasts, places = pick(rng, PEOPLE)
    first, last = pick(rng, firsts.split()), pick(rng, lasts.split())
    city, country, zone = pick(rng, places)
    industry = pick(rng, tuple(INDUSTRIES))
    company = f"{pick(rng, COMPANIES.split())} {pick(rng, INDUSTRIES[industry])}"
    row = dict.fromkeys(COLUMNS, "") | {
        "Lead ID": f"NW-{number:04d}",
        "E-mail": f"{ascii_slug(first)}.{ascii_slug(last)}@{ascii_slug(company)}.example",
        "First name": first,
        "Last name": last,
        "Company": company,
        "Country": country,
        "City": city,
        "Time zone": zone,
        "Industry": industry,
        "Topic": pick(rng, TOPICS),
        "Job level": pick(rng, JOB_LEVELS),
        "Company size": pick(rng, SIZES),
        "Source": pick(rng, SOURCES),
        "E-mail opt-out": "yes" if rng.random() < 0.02 else "no",
        "Audience": audience,
    }
    return row | history(rng, audience)


def history(rng: random.Random, audience: str) -> dict[str, str]:
    """How the lead came in, and what became of it since."""
    match audience:
        case "new":
            came, last = before(rng, 1, 14), AS_OF - timedelta(days=1)
        case "lost":
            came, last = before(rng, 250, 420), before(rng, 20, 120)
        case _:
            came, last = before(rng, 420, 700), before(rng, 200, 400)
    told = {"Came in by": "Content download", "Came in on": came.isoformat()}
    if audience == "lost":
        deal = last - timedelta(days=int(rng.random() * 10))
        told |= {"Last deal": "Lost", "Last deal on": deal.isoformat(), "Lost reason": pick(rng, LOST_REASONS)}
    if activity := pick(rng, ACTIVITIES) or ("" if audience == "new" else "Visited website"):
        told |= {"Last activity": activity, "Last activity on": last.isoformat()}
    return told


def leads() -> list[dict[str, str]]:
    """The rows in order: the 300, with the three that need mending among them."""
    rng = random.Random(SEED)
    rows: list[dict[str, str]] = []
    addresses: set[str] = set()
    for number, audience in enumerate(shuffled(rng, AUDIENCES), start=1):
        row = lead(rng, number, audience)
        while row["E-mail"] in addresses:
            row = lead(rng, number, audience)
        addresses.add(row["E-mail"])
        rows.append(row)
    rows.insert(60, rows[11] | {"Lead ID": "NW-0301", "E-mail": rows[11]["E-mail"].upper()})
    rows.insert(140, lead(rng, 302, "new") | {"E-mail": "sam.winter@@granitestores.example"})
    rows.insert(220, lead(rng, 303, "new") | {"Time zone": "Europe/Berlinn"})
    return rows


def shuffled(rng: random.Random, items: Sequence[str]) -> list[str]:
    """The items in an order that, like `pick`, is the same in every version of Python."""
    return [item for _, item in sorted((rng.random(), item) for item in items)]


def generate(path: Path) -> None:
    """Write the sample to `path` as CSV in UTF-8."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(leads())


if __name__ == "__main__":
    generate(Path(__file__).with_name("leads.csv"))
