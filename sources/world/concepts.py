"""What the simulated world holds: its vocabulary, and in which senses each thing shows.

`senses` is a claim about physics that the rest of the package keeps: a kettle is hot and so shows
in the thermal picture, a clock on the wall is as flat as the wall and so has no depth. Only what
shows in a sense is scored in it. `docs/reference/world.md` prints this table.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from streamer.types import MODALITIES, Modality

Kind: TypeAlias = Literal["thing", "motion"]


@dataclass(frozen=True, slots=True)
class Concept:
    """Something that can be there or happen. `name` is the label it should get.

    `phrases` are the wordings that captions are made of, the name first; `paraphrases` stand in no
    caption, not even as a part of one, and test whether the words were understood.
    """

    name: str
    kind: Kind
    senses: frozenset[Modality]
    phrases: tuple[str, ...]
    paraphrases: tuple[str, ...]


def _senses(letters: str) -> frozenset[Modality]:
    """The senses by their first letters, which happen to be distinct."""
    return frozenset(sense for sense in MODALITIES if sense[0] in letters)


def _thing(name: str, letters: str, phrases: str, paraphrases: str) -> Concept:
    return _concept("thing", name, letters, phrases, paraphrases)


def _motion(name: str, letters: str, phrases: str, paraphrases: str) -> Concept:
    return _concept("motion", name, letters, phrases, paraphrases)


def _concept(kind: Kind, name: str, letters: str, phrases: str, paraphrases: str) -> Concept:
    wordings = (name, *_split(phrases))
    return Concept(name, kind, _senses(letters), wordings, tuple(_split(paraphrases)))


def _split(phrases: str) -> list[str]:
    """Wordings between bars, free of line breaks."""
    return [" ".join(phrase.split()) for phrase in phrases.split("|")]


# The letters: vision, audio, depth, thermal, imu.
CONCEPTS: tuple[Concept, ...] = (
    _thing(
        "a kettle boiling", "vadt",
        """a boiling kettle | a kettle with steam rising | hot steam from a kettle | water boiling
        in a kettle | a steaming kettle on the boil | a kettle full of boiling water | kettle""",
        "the kettle is boiling | steam rising from the kettle | a hot kettle full of water",
    ),
    _thing(
        "an alarm ringing", "va",
        """a ringing alarm | an alarm bell | a red alarm flashing | an alarm going off | the alarm
        is beeping | a flashing alarm on the wall | alarm""",
        "an alarm beeping and flashing | the red alarm is ringing | a bell of an alarm going off",
    ),
    _thing(
        "a fan spinning", "vad",
        """a spinning fan | an electric fan | a fan with turning blades | the blades of a fan | a
        fan blowing air | a humming fan on a stand | fan""",
        "the fan is spinning | an electric fan blowing | spinning blades of a fan",
    ),
    _thing(
        "a ball bouncing", "vad",
        """a bouncing ball | a ball that bounces | a striped ball in the air | a ball bouncing on
        the floor | a jumping ball | a round rubber ball | ball""",
        "the ball is bouncing | a striped rubber ball | a ball that is jumping on the floor",
    ),
    _thing(
        "a dog barking", "vadt",
        """a barking dog | a dog that barks | a dog on four legs | the dog is barking | a loud dog |
        a big dog with hanging ears | dog""",
        "a dog is barking loud | a big barking dog | the dog that barks",
    ),
    _thing(
        "a cat meowing", "vadt",
        """a meowing cat | a cat that meows | a small cat with pointed ears | the cat is meowing | a
        cat with its tail up | a kitten calling | cat""",
        "a small meowing cat | the cat with pointed ears | a cat is calling",
    ),
    _thing(
        "a person talking", "vadt",
        """a talking person | a person who talks | somebody talking | a human voice | a person
        standing and speaking | someone is speaking | a man or a woman talking | person""",
        "the person is talking | somebody is standing and speaking | a person speaking",
    ),
    _thing(
        "a clock ticking", "va",
        """a ticking clock | a clock on the wall | a round clock with hands | the clock ticks | the
        ticking of a clock | a wall clock | clock""",
        "the clock is ticking | a round wall clock | a clock that ticks on the wall",
    ),
    _thing(
        "a radio playing music", "vad",
        """music from a radio | a radio that plays a song | a radio with music | a playing radio | a
        radio with an antenna | a song on the radio | radio""",
        "the radio is playing a song | the radio plays music | music with an antenna radio",
    ),
    _thing(
        "water running from a tap", "vadt",
        """a running tap | a tap with water running | water from a tap | a stream of water into a
        sink | cold water running into a sink | an open tap over a sink | tap""",
        "a tap running | the water is running into the sink | cold water from the open tap",
    ),
    _thing(
        "a fire burning", "vadt",
        """a burning fire | flames of a fire | a fire with logs | a crackling fire | wood burning |
        hot flames | a camp fire | fire""",
        "the fire is burning | a fire of burning logs | crackling wood in flames",
    ),
    _thing(
        "a lamp shining", "vdt",
        """a shining lamp | a lamp that is on | a bright lamp | a standing lamp | a lamp with a
        bright shade | the light of a lamp | lamp""",
        "the lamp is shining | a bright standing lamp | a lamp with its light on",
    ),
    _thing(
        "a car with its engine running", "vadt",
        """a car with a running engine | the engine of a car | a car | a car standing with its motor
        on | a parked car humming | a motor car on four wheels""",
        """the engine of the car is running | the parked car is humming | a car with its motor
        running""",
    ),
    _thing(
        "a drone hovering", "vadt",
        """a hovering drone | a drone in the air | a flying drone | a drone with four rotors | a
        buzzing drone | a drone that flies | drone""",
        "the drone is hovering | a flying drone with rotors | a drone is buzzing in the air",
    ),
    _thing(
        "a plant in a pot", "vd",
        """a potted plant | a green plant | a plant | a plant with leaves | green leaves in a pot |
        a pot with a plant""",
        "the plant in the pot | a green potted plant | a pot with green leaves",
    ),
    _thing(
        "a block of ice melting", "vdt",
        """a melting block of ice | a block of ice | melting ice | a cold block of ice | ice | a
        lump of ice that melts | frozen water melting""",
        "the ice is melting | a block of cold ice | a melting lump of frozen ice",
    ),
    _motion(
        "the robot turning left", "vi",
        """turning left | a turn to the left | the robot turns left | rotating to the left | the
        robot is turning left | a left turn | the robot makes a turn to the left""",
        "the robot rotating left | the robot makes a left turn | turning to the left",
    ),
    _motion(
        "the robot turning right", "vi",
        """turning right | a turn to the right | the robot turns right | rotating to the right | the
        robot is turning right | a right turn | the robot makes a turn to the right""",
        "the robot rotating right | the robot makes a right turn | turning to the right",
    ),
    _motion(
        "the robot driving forward", "vi",
        """driving forward | the robot drives ahead | moving forward | the robot moves forward | the
        robot is driving ahead | going straight ahead""",
        "the robot is moving ahead | going forward | the robot drives forward",
    ),
    _motion(
        "the robot driving backward", "vi",
        """driving backward | the robot drives back | moving backward | the robot moves back | the
        robot is backing up | going straight back""",
        "the robot is moving backward | going back | the robot backing",
    ),
    _motion(
        "the robot climbing stairs", "vadi",
        """climbing stairs | the robot climbs stairs | going up the stairs | walking up a staircase
        | the robot on the stairs | steps of a staircase | the robot is climbing""",
        """the robot is going up a staircase | climbing the steps of stairs | the robot climbs the
        steps""",
    ),
    _motion(
        "the robot driving over rough ground", "vadi",
        """driving over rough ground | rough ground with stones | the robot shakes on stones | a
        bumpy ride over stones | moving over gravel | the robot on rough ground""",
        "the robot driving on stones | a bumpy ride over rough ground | over gravel and stones",
    ),
    _motion(
        "the robot rocking from side to side", "vi",
        """rocking from side to side | the robot rocks | swaying left and right | the robot sways |
        a rocking robot | tilting from side to side""",
        "the robot is swaying from side to side | rocking left and right | the robot tilting",
    ),
    _motion(
        "the robot bumping into a wall", "vadi",
        """bumping into a wall | the robot hits a wall | a bump against a wall | running into a wall
        | hitting a wall | the robot bumps into the wall | a wall right in front of the robot""",
        "the robot is hitting the wall | a bump into the wall | the robot running against a wall",
    ),
)  # fmt: skip

BY_NAME = {concept.name: concept for concept in CONCEPTS}
THINGS = tuple(concept.name for concept in CONCEPTS if concept.kind == "thing")
MOTIONS = tuple(concept.name for concept in CONCEPTS if concept.kind == "motion")


def perceived(names: tuple[str, ...], sense: Modality) -> tuple[str, ...]:
    """Those of `names` that show in `sense`, in their order."""
    return tuple(name for name in names if sense in BY_NAME[name].senses)
