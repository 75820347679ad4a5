from collections.abc import Callable
from typing import Any

from inference_runtime.bundle import Bundle
from inference_runtime.cache import Cache
from inference_runtime.predictor import Answer

Make = Callable[..., Bundle]
Picture = Callable[..., bytes]


def test_the_least_recently_wanted_goes_first() -> None:
    cache = Cache(2)
    one, two, three = (Answer(0.5, 0.0, image, "b", 1, 1) for image in ("1", "2", "3"))
    cache.put(one)
    cache.put(two)
    assert cache.get("b", "1") == one
    cache.put(three)
    assert (cache.get("b", "1"), cache.get("b", "2"), cache.get("b", "3")) == (one, None, three)
    assert cache.get("other", "1") is None


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
