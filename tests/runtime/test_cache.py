from collections.abc import Callable
from typing import Any

from inference_runtime.bundle import Bundle
from inference_runtime.cache import Cache
from inference_runtime.picture import Picture as Named
from inference_runtime.predictor import Answer

Make = Callable[..., Bundle]
Picture = Callable[..., bytes]


def test_the_least_recently_wanted_goes_first() -> None:
    cache = Cache(2)
    pictures = [Named(data) for data in (b"1", b"2", b"3")]
    one, two, three = answers = [answer_to(picture) for picture in pictures]
    cache.put(one, pictures[0])
    cache.put(two, pictures[1])
    assert cache.get("b", pictures[0]) == one
    cache.put(three, pictures[2])
    assert [cache.get("b", picture) for picture in pictures] == [one, None, three] != answers
    assert cache.get("other", pictures[0]) is None


def test_who_only_looks_alike_is_not_known() -> None:
    """A glimpse skips most of the bytes."""
    blank = bytes(100_000)
    cache, known, like = Cache(2), Named(blank), Named(blank[:70] + b"!" + blank[71:])
    assert known.glimpse() == like.glimpse() and known.name() != like.name()
    cache.put(answer_to(known), known)
    assert cache.get("b", like) is None
    assert cache.get("b", Named(blank)) == answer_to(known)
    cache.put(answer_to(like), like)
    assert cache.get("b", like) == answer_to(like)


def test_a_new_picture_is_not_named_to_be_looked_up() -> None:
    named = Named(b"new")
    assert Cache(2).get("b", named) is None and not named._name


def answer_to(picture: Named) -> Answer:
    return Answer(0.5, 0.0, picture.name(), "b", 1, 1)


def test_a_picture_that_came_before_is_not_computed_again(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    counted = """
from inference_runtime.predictor import Predictor
plain = Predictor.answer
def answer(self, prepared):
    print("computed", file=__import__("sys").stderr, flush=True)
    return plain(self, prepared)
Predictor.answer = answer
"""
    one, two = make_bundle("one"), make_bundle("two", 3.0)
    server, data = start(one, prelude=counted), make_picture()
    first = server.predict(data)[1]
    again = server.predict(data)[1]
    assert first.pop("entry") != again.pop("entry"), "an answer of its own in the journal"
    assert first == again
    server.swap(two.folder)
    assert server.predict(data)[1]["bundle"] == two.id
    assert len(server.entries()) == 3
    assert server.stop()[1].count("computed") == 2
