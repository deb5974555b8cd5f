"""Resolver of addresses: free text to the commune of today, with confidence and reason.

Where the text is not clear, the match has the candidates and the reason instead.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from math import pi, sqrt

from gis.boundaries.units import Level, Unit, UnitHistory
from gis.placing.addresses.contexts import note_company, note_contexts
from gis.placing.addresses.landmarks import with_place
from gis.placing.addresses.match import AddressMatch, Candidate
from gis.placing.addresses.mentions import Mention, MentionedNames, Spelling, Unresolved
from gis.placing.addresses.names import Name, NamedUnit, Names, Sense, is_one_letter_off, sound
from gis.placing.addresses.reader import Reader, is_noise
from gis.placing.addresses.readings import Reading, communes_of, read, tied
from gis.placing.addresses.rules import is_joining
from gis.placing.addresses.tokens import segments
from gis.placing.addresses.words import LEVEL_OF_KIND
from gis.placing.gazetteer import Gazetteer

_CACHED_ANSWERS = 1 << 15  # the same address stands in many records
_MAX_TEXT_LENGTH = 1000  # characters; an address ends long before
_MAX_CANDIDATES = 12
_MAX_MISSPELT_WORDS = 5  # words
_MIN_SURE_LENGTH = 7  # letters of a misspelt name that may stand without its district
_HIGHEST_DOUBTFUL = 0.7  # confidence
_COMMUNE_RADIUS_M = 6_500.0  # circle of 134 km², the mean commune of the province


class AddressResolver:
    """Resolves addresses of the province of `history`; needs no network."""

    def __init__(self, history: UnitHistory) -> None:
        self.names = Names(history)
        self._reader = Reader(self.names)
        self._communes = {
            unit.code: unit
            for unit in history.units
            if unit.level is Level.COMMUNE and unit.valid_to is None
        }
        self._parts = _counts(self.names.places)
        self._explanations: dict[NamedUnit, tuple[float, str]] = {}
        self._unit_of = lru_cache(maxsize=_CACHED_ANSWERS)(lambda *key: self._read(*key)[0])

    def resolve(
        self, text: str, *, day: date | None = None, gazetteer: Gazetteer | None = None
    ) -> AddressMatch:
        """The commune of today that the address lies in.

        `day` is the day of the event: before a reform its units did not exist, so the text is read
        with the units of that day where possible. A place of `gazetteer` in the text gives a
        point, within the unit that the text names if it names one.
        """
        shortened = text[:_MAX_TEXT_LENGTH]
        parts = segments(shortened)
        if not gazetteer:
            return self._unit_of(parts, day)
        match, mentioned = self._read(parts, day)
        if mentioned is None:
            return match
        return with_place(match, shortened, mentioned, gazetteer, self._communes)

    def _read(
        self, parts: tuple[str, ...], day: date | None
    ) -> tuple[AddressMatch, MentionedNames | None]:
        """The unit of an address and the names in it; no names where it lies elsewhere."""
        mentioned = self._reader.find(parts)
        readings = self._readings(mentioned, day)
        foreign = _foreign(mentioned.mentions, readings)
        if foreign is not None:
            return _outside(foreign), None
        match = self._match(mentioned, readings, day)
        return match, None if _unknown_upper(mentioned) else mentioned

    def _readings(self, mentioned: MentionedNames, day: date | None) -> list[Reading]:
        readings = self._of_day(read(mentioned.mentions), day)
        if _needs_correction(mentioned, readings):
            self._correct(mentioned)
            return self._of_day(read(mentioned.mentions), day)
        return readings

    def _match(
        self, mentioned: MentionedNames, readings: list[Reading], day: date | None
    ) -> AddressMatch:
        best = tied(readings)
        if len(communes_of(best)) != 1 or not self._suffices(mentioned, best):
            return self._no_answer(mentioned, readings, best)
        return self._answer(mentioned, best, readings, day)

    def _of_day(self, readings: list[Reading], day: date | None) -> list[Reading]:
        """Readings with units in force on that day, when any of these is uncontradicted."""
        if day is None:
            return readings
        of_day = [r for r in readings if r.place.unit.valid_on(day)]
        if all(r.place.is_new for r in of_day):
            return readings  # people go on writing old names after a reform
        return of_day if any(not r.against for r in of_day) else readings

    # Misspelt names ---------------------------------------------------------------------------

    def _correct(self, mentioned: MentionedNames) -> None:
        """Add mentions for words that are one letter off a name."""
        for unresolved in list(mentioned.unresolved):
            mention = self._misspelt_after(mentioned, unresolved)
            if mention is not None:
                mentioned.mentions.append(mention)
                mentioned.unresolved.remove(unresolved)
        for mention in mentioned.dangling():
            self._lengthen(mentioned, mention)
        for start, end in mentioned.unread():
            mentioned.mentions += self._misspelt_in(mentioned, start, end)
        mentioned.mentions.sort(key=lambda mention: mention.start)
        note_contexts(mentioned)
        if mentioned.speaks_of_company:
            note_company(mentioned)

    def _lengthen(self, mentioned: MentionedNames, mention: Mention) -> None:
        """Extend a mention by the unread word after it, if that is one letter off a longer name."""
        words = mentioned.tokens[mention.name_at : mention.end]
        letters = sum(len(token.word.key) for token in words)
        for end, names in self._misspelt_from(mentioned, mention.name_at):
            longer = (name for name in names if len(name.key) > letters + 1)
            senses = _corrected_senses(mentioned, mention.name_at, end, longer, {Level.COMMUNE})
            if end > mention.end and senses:
                mention.end, mention.senses = end, senses
                mention.spelling = Spelling.MISSPELT
                return

    def _misspelt_after(self, mentioned: MentionedNames, unresolved: Unresolved) -> Mention | None:
        levels = {LEVEL_OF_KIND[kind] for kind in unresolved.type.kinds}
        for end, names in self._misspelt_from(mentioned, unresolved.name_at):
            senses = _corrected_senses(mentioned, unresolved.name_at, end, names, levels)
            if senses:
                return Mention(
                    unresolved.start,
                    unresolved.name_at,
                    end,
                    unresolved.type,
                    senses,
                    (),
                    Spelling.MISSPELT,
                )
        return None

    def _misspelt_from(
        self, mentioned: MentionedNames, start: int
    ) -> Iterator[tuple[int, tuple[Name, ...]]]:
        """Names one letter off the words from `start`, with more words first."""
        keys: list[tuple[int, str]] = []
        key = ""
        for i in range(start, min(start + _MAX_MISSPELT_WORDS, len(mentioned.tokens))):
            if i > start and mentioned.tokens[i].pause >= 2:
                break
            key += mentioned.tokens[i].word.key
            keys.append((i + 1, key))
        for end, key in reversed(keys):
            names = self.names.misspelt(key)
            if names:
                yield end, names

    def _misspelt_in(self, mentioned: MentionedNames, start: int, end: int) -> Iterator[Mention]:
        i = start
        while i < end:
            options = (o for o in self._misspelt_from(mentioned, i) if o[0] <= end)
            stop, names = next(options, (i + 1, ()))
            senses = _corrected_senses(mentioned, i, stop, names, set(Level))
            if senses and not _is_no_name(mentioned, i, stop):
                yield Mention(i, i, stop, None, senses, (), Spelling.MISSPELT)
            i = stop if senses else i + 1

    # Answers ----------------------------------------------------------------------------------

    def _suffices(self, mentioned: MentionedNames, best: list[Reading]) -> bool:
        """True where the text says enough for an answer."""
        if _unknown_upper(mentioned):
            return False
        if any(reading.supported or reading.kind_right for reading in best):
            return all(_is_sure_enough(reading) for reading in best)
        return all(_stands_alone(reading, mentioned) for reading in best)

    def _answer(
        self,
        mentioned: MentionedNames,
        best: list[Reading],
        readings: list[Reading],
        day: date | None,
    ) -> AddressMatch:
        (code,) = communes_of(best)
        commune = self._communes[code]
        chosen = _of_era(best)
        era = _era(best)
        alternatives = [r for r in readings if not r.against and code not in r.place.today]
        candidates = tuple(self._candidates(alternatives)) if alternatives else ()
        if chosen.may_be_district and not chosen.supported:
            candidates = (*candidates, *self._of_district(mentioned))
        radius_m, why = self._explanation(chosen.place, commune)
        doubt = _leaves_doubt(best, mentioned)
        return AddressMatch(
            commune=commune,
            unit_then=_unit_then(chosen, commune, day, best),
            era=era,
            confidence=_confidence(chosen, bool(alternatives), doubt=doubt),
            precision_m=radius_m,
            candidates=candidates,
            why=why,
        )

    def _radius_m(self, place: NamedUnit) -> float:
        """Radius of a circle as large as the unit; an old ward is an even part of its commune."""
        (code,) = place.today
        area = self._communes[code].area_km2
        radius = _COMMUNE_RADIUS_M if area is None else 1_000 * sqrt(area / pi)
        parts = 1 if place.is_new else self._parts.get(code, 1)
        return float(round(radius / sqrt(parts), -2))

    def _explanation(self, place: NamedUnit, commune: Unit) -> tuple[float, str]:
        """Radius (m) and sentence of an answer, cached: they are the same for the whole place."""
        answer = self._explanations.get(place)
        if answer is None:
            answer = self._explanations[place] = (self._radius_m(place), _why(place, commune))
        return answer

    def _no_answer(
        self, mentioned: MentionedNames, readings: list[Reading], best: list[Reading]
    ) -> AddressMatch:
        unknown = _unknown_upper(mentioned)
        if unknown is not None:
            name = " ".join(
                t.word.text for t in mentioned.tokens[unknown.start : unknown.start + 4]
            )
            return AddressMatch(
                candidates=tuple(self._candidates(readings)),
                why=f"Tỉnh không có đơn vị «{name}». / The province has no unit “{name}”.",
            )
        if len(communes_of(best)) > 1:
            return AddressMatch(candidates=tuple(self._candidates(best)), why=_AMBIGUOUS)
        candidates = tuple(self._candidates([*readings, *self._hints(mentioned)]))
        contradicted = bool(readings) and not best
        if candidates:
            return AddressMatch(
                candidates=candidates, why=_CONTRARY if contradicted else _TOO_LITTLE
            )
        return AddressMatch(candidates=tuple(self._of_district(mentioned)), why=_NO_COMMUNE)

    def _hints(self, mentioned: MentionedNames) -> Iterator[Reading]:
        """Readings of all names of communes, also where they are streets or landmarks."""
        for mention in mentioned.mentions:
            for sense in mention.of_level(Level.COMMUNE):
                yield Reading(mention, sense)

    def _of_district(self, mentioned: MentionedNames) -> Iterator[Candidate]:
        districts = {
            sense.place
            for mention in mentioned.mentions
            for sense in mention.of_level(Level.DISTRICT)
        }
        for place in self.names.places:
            if place.is_new and not districts.isdisjoint(place.districts):
                unit = place.unit
                name = " / ".join(sorted(d.unit.full_name for d in districts & place.districts))
                why = f"nay gồm phần của {name} / holds a part of {name}"
                yield Candidate(unit.code, unit.full_name, why)

    def _candidates(self, readings: Iterable[Reading]) -> Iterator[Candidate]:
        seen: set[str] = set()
        for reading in readings:
            for code in sorted(reading.place.today - seen):
                if len(seen) < _MAX_CANDIDATES:
                    seen.add(code)
                    commune = self._communes[code]
                    yield Candidate(code, commune.full_name, _reason(reading, commune))


_AMBIGUOUS = (
    "Địa chỉ có nhiều cách hiểu dẫn tới các xã, phường khác nhau. / "
    "The address has several readings that end in different communes."
)
_CONTRARY = "Các phần của địa chỉ mâu thuẫn nhau. / The parts of the address contradict each other."
_TOO_LITTLE = (
    "Địa chỉ chưa đủ để xác định xã, phường. / The address says too little to name one commune."
)
_NO_COMMUNE = (
    "Địa chỉ không nêu xã, phường nào của tỉnh. / The address names no commune of the province."
)


def _counts(places: Iterable[NamedUnit]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for place in places:
        for code in place.today:
            counts[code] = counts.get(code, 0) + (not place.is_new)
    return counts


def _needs_correction(mentioned: MentionedNames, readings: list[Reading]) -> bool:
    """True where an unread word may be a misspelt name that could change the answer."""
    if mentioned.all_read:
        return False
    if mentioned.unresolved or mentioned.dangling():
        return True
    best = tied(readings)
    if len(communes_of(best)) == 1 and any(reading.supported for reading in best):
        return False
    if len(communes_of(best)) == 1 and any(r.kind_right and r.province for r in best):
        return False
    return bool(mentioned.unread())


def _corrected_senses(
    mentioned: MentionedNames, start: int, end: int, names: Iterable[Name], levels: set[Level]
) -> tuple[Sense, ...]:
    """Senses of a misspelt name.

    Where it is written with diacritics, one slip must explain these too: `Tân Hòa` is not
    `Tân Hợp`, though `tan hoa` may be `tan hop`.
    """
    words = [token.word for token in mentioned.tokens[start:end]]
    marked = any(word.marked for word in words)
    letters, tones = "".join(w.letters for w in words), "".join(w.tones for w in words)
    return tuple(
        sense
        for name in names
        for sense in name.senses
        if sense.level in levels and (not marked or _is_slip(letters, tones, sense))
    )


def _is_slip(letters: str, tones: str, sense: Sense) -> bool:
    if sense.marks is None or tones == sense.marks[1]:
        return True
    correct = sense.marks[0]
    return is_one_letter_off(letters, correct) or sound(letters) == sound(correct)


def _is_no_name(mentioned: MentionedNames, start: int, end: int) -> bool:
    """True where words are a relation (`cạnh`, one letter off Cán Hồ) or noise, and no name."""
    words = mentioned.tokens[start:end]
    if (mentioned.marked or len(words) == 1) and any(
        is_joining(word, mentioned.marked) for word in words
    ):
        return True
    return all(is_noise(word) for word in words)


def _unknown_upper(mentioned: MentionedNames) -> Unresolved | None:
    """A district or province that is named by its type and that we do not know."""
    for unresolved in mentioned.unresolved:
        upper = all(LEVEL_OF_KIND[kind] is not Level.COMMUNE for kind in unresolved.type.kinds)
        if upper and unresolved.firm:
            return unresolved
    return None


def _foreign(mentions: list[Mention], readings: list[Reading]) -> Mention | None:
    """A mention of another province, or of its district, that is not just a street's name."""
    if not any(mention.abroad for mention in mentions):
        return None
    free = [reading for reading in readings if not reading.against]
    local = [m for m in mentions if any(s.level is not Level.COMMUNE for s in m.senses)]
    for mention in mentions:
        if not mention.abroad or mention.weak or (mention.senses and mention.bare):
            continue
        if mention.spelling is Spelling.MARKS_OFF and mention.bare:
            if any(reading.mention.start < mention.start for reading in free):
                return mention
            continue  # it may be a village of a like name
        if mention.senses and not mention.bare and free:
            continue
        if not mention.bare:
            return mention
        province = any(unit.level is Level.PROVINCE for unit in mention.abroad)
        after_ours = all(mention.start > mention_here.start for mention_here in local)
        if (province and after_ours) or not local:
            return mention
    return None


def _outside(mention: Mention) -> AddressMatch:
    name = mention.abroad[0].name
    return AddressMatch(
        abroad=True,
        why=f"Địa chỉ nằm ngoài tỉnh ({name}). / The address is outside the province ({name}).",
    )


def _is_sure_enough(reading: Reading) -> bool:
    if reading.mention.spelling is not Spelling.MISSPELT:
        return True
    return reading.supported or reading.province


def _stands_alone(reading: Reading, mentioned: MentionedNames) -> bool:
    """True where a name without right type and without district is enough."""
    mention = reading.mention
    if mention.type is not None:
        return False  # of the wrong type, and no district to say that it is meant
    if not reading.province and any(unit.level is Level.PROVINCE for unit in mention.abroad):
        return False
    if any(_is_rival(reading, other) for other in mentioned.mentions):
        return False
    if reading.may_be_district:
        return reading.province and _is_seat(mention) and _is_all(mentioned)
    if mention.spelling is Spelling.MISSPELT:
        letters = sum(len(t.word.key) for t in mentioned.tokens[mention.start : mention.end])
        return reading.province and letters >= _MIN_SURE_LENGTH
    return reading.province or _is_whole_text(mention, mentioned)


def _is_rival(reading: Reading, other: Mention) -> bool:
    """True where another commune is named just as barely."""
    if other is reading.mention or other.weak or other.spelling is Spelling.MISSPELT:
        return False
    communes = list(other.of_level(Level.COMMUNE))
    upper = len(communes) < len(other.senses)
    return (
        bool(communes)
        and not upper
        and all(sense.place.today != reading.place.today for sense in communes)
    )


def _is_seat(mention: Mention) -> bool:
    """True where a name that a district has too is that of its town, where the district has one."""
    return any(sense.kind == "Thị trấn" for sense in mention.of_level(Level.COMMUNE))


def _is_all(mentioned: MentionedNames) -> bool:
    """True where the text says nothing but units: no landmark, no number, no other word."""
    return mentioned.all_read and all(m.spelling > Spelling.MISSPELT for m in mentioned.mentions)


def _is_whole_text(mention: Mention, mentioned: MentionedNames) -> bool:
    return all(
        mention.start <= i < mention.end or is_noise(token)
        for i, token in enumerate(mentioned.tokens)
    )


def _of_era(best: list[Reading]) -> Reading:
    """The reading to show: an old unit before a commune of today with the same end."""
    top = best[0].points
    old = [reading for reading in best if not reading.place.is_new and reading.points >= top]
    return (old or best)[0]


def _era(best: list[Reading]) -> str:
    eras = {reading.place.is_new for reading in best}
    if len(eras) == 2:
        return "either"
    return "new" if eras == {True} else "old"


def _unit_then(
    chosen: Reading, commune: Unit, day: date | None, best: list[Reading]
) -> Unit | None:
    if day is None:
        return chosen.place.unit
    for reading in best:
        if reading.place.unit.valid_on(day):
            return reading.place.unit
    return commune if commune.valid_on(day) else None


def _leaves_doubt(best: list[Reading], mentioned: MentionedNames) -> bool:
    """True where the text only hints at the unit, says of another that it is not that, or names the
    wrong former province.
    """
    hinted = all(reading.mention.hinted or reading.other_province for reading in best)
    return hinted or any(mention.denied for mention in mentioned.mentions)


def _confidence(reading: Reading, has_rivals: bool, *, doubt: bool) -> float:
    confidence = _confidence_of(
        reading.district,
        reading.mixed,
        reading.pair,
        reading.province,
        reading.kind_right,
        reading.mention.type is not None,
        reading.mention.spelling,
        reading.sense.alias,
        has_rivals,
        reading.may_be_district and not reading.pair and _repeats_district(reading),
    )
    return min(confidence, _HIGHEST_DOUBTFUL) if doubt else confidence


def _repeats_district(reading: Reading) -> bool:
    """True where the text may mean the district of the same name instead of the commune."""
    names = [district.unit.name for district in reading.place.districts]
    return not reading.district or reading.place.unit.name in names


@lru_cache(maxsize=1024)
def _confidence_of(
    district: bool,
    mixed: bool,
    pair: bool,
    province: bool,
    kind_right: bool,
    typed: bool,
    spelling: Spelling,
    alias: bool,
    has_rivals: bool,
    may_be_district: bool,
) -> float:
    """Confidence, 0–1, fitted to the gold addresses.

    0.8 and more only where a district, or the commune's old and new name, agree.
    """
    value = 0.55 + 0.1 * province + 0.1 * kind_right
    value += 0.3 * district - 0.2 * mixed + 0.2 * pair
    value -= 0.1 * alias + 0.1 * (typed and not kind_right) + 0.1 * has_rivals
    value -= 0.2 * may_be_district
    value -= {Spelling.MISSPELT: 0.2, Spelling.MARKS_OFF: 0.05}.get(spelling, 0.0)
    return round(max(0.3, min(0.98, value)), 2)


def _reason(reading: Reading, commune: Unit) -> str:
    unit = reading.place.unit
    if reading.place.is_new:
        return "tên xã, phường hiện nay / a commune of today has this name"
    district = next(iter(reading.place.districts), None)
    where = f", {district.unit.full_name}" if district else ""
    return f"{unit.full_name}{where} trước đây / formerly {unit.full_name}{where}"


def _why(place: NamedUnit, commune: Unit) -> str:
    if place.is_new:
        return f"Đọc là {commune.full_name} hiện nay. / Read as {commune.full_name} of today."
    unit = place.unit
    district = next(iter(place.districts), None)
    where = f"{unit.full_name}, {district.unit.full_name}" if district else unit.full_name
    return (
        f"Đọc là {where} trước đây, nay thuộc {commune.full_name}. / "
        f"Read as {where} as it was, now in {commune.full_name}."
    )
