"""The replica behaves as the validators' code does, in distribution and in pay."""

import cv2
import numpy as np
import pytest

from pipeline import challenge


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    """Red on the left, white on the right, so that a flip shows."""
    pixels = np.full((360, 640, 3), 255, np.uint8)
    pixels[:, :320, 1:] = 40
    return pixels


def seeds_of_level(level: int, count: int) -> list[int]:
    return [seed for seed in range(12 * count) if challenge.level_of(seed) == level][:count]


def test_levels_come_a_quarter_each() -> None:
    share = np.bincount([challenge.level_of(seed) for seed in range(4000)], minlength=4) / 4000
    assert np.allclose(share, 0.25, atol=0.03)


@pytest.mark.parametrize("profile", challenge.PROFILES)
def test_the_same_seed_gives_the_same_view(frame: np.ndarray, profile: str) -> None:
    assert np.array_equal(challenge.view(frame, profile, 5), challenge.view(frame, profile, 5))


def test_views_are_224_square(frame: np.ndarray) -> None:
    for seed in range(40):
        view = challenge.view(frame, "2026-01", seed)
        assert view.shape == (224, 224, 3)
        assert view.dtype == np.uint8


def test_tiny_and_tall_frames_have_a_view_too() -> None:
    for shape in ((1, 1, 3), (3, 500, 3), (500, 3, 3), (224, 224, 3)):
        for seed in range(12):
            assert challenge.view(np.zeros(shape, np.uint8), "2026-01", seed).shape == (224, 224, 3)
        assert challenge.view(np.zeros(shape, np.uint8), "letterbox", 0).shape == (224, 224, 3)


def test_level_0_is_the_centre_crop_and_nothing_else() -> None:
    gradient = np.tile(np.linspace(0, 255, 640).astype(np.uint8)[None, :, None], (360, 1, 3))
    seed = seeds_of_level(0, 1)[0]
    expected = cv2.resize(gradient[:, 140:500], (224, 224), interpolation=cv2.INTER_AREA)
    assert np.array_equal(challenge.view(gradient, "2026-01", seed), expected)


def crop_area(seed: int) -> float:
    """Share of the frame that a view shows, read off a chart whose colours are coordinates."""
    y, x = np.mgrid[0:360, 0:640].astype(np.float32)
    chart = np.stack([x / 640 * 200 + 40, y / 360 * 200 + 40, np.full_like(x, 200)], axis=2).astype(np.uint8)
    view = challenge.view(chart, "2026-01", seed).astype(np.float32)
    inside = view[:, :, 2] > 150
    across = np.gradient(cv2.GaussianBlur(view[:, :, 0], (31, 31), 0))
    step = np.median(np.hypot(*across)[inside]) * 640 / 200
    return float((step * 224) ** 2 / (360 * 640))


def test_crops_cover_a_fifth_to_the_full_height() -> None:
    areas = np.array([crop_area(seed) for seed in seeds_of_level(1, 150)])
    # On 16:9 a square above 0.5625 of the area does not fit, so what remains of 0.2..1.0 is 0.2..0.5625.
    assert 0.15 < areas.min() < 0.25
    assert 0.5 < areas.max() < 0.62
    assert areas.mean() == pytest.approx((0.2 + 0.5625) / 2, abs=0.03)


def test_tilt_leaves_black_corners_within_20_degrees(frame: np.ndarray) -> None:
    edges = np.zeros((360, 640, 3), np.uint8)
    edges[:180] = 255
    angles = []
    for seed in seeds_of_level(1, 200):
        view = challenge.view(edges, "2026-01", seed)[:, :, 0].astype(np.float32)
        y, x = np.gradient(cv2.GaussianBlur(view, (9, 9), 0))
        if abs(y).max() > 20:
            strongest = np.unravel_index(abs(y).argmax(), y.shape)
            angles.append(np.degrees(np.arctan2(x[strongest], abs(y[strongest]))))
    assert 14 < max(np.abs(angles)) < 26
    assert abs(np.mean(angles)) < 4
    white = np.full((360, 640, 3), 255, np.uint8)
    black = [(challenge.view(white, "2026-01", seed) == 0).any() for seed in seeds_of_level(1, 200)]
    assert 0.3 < np.mean(black) < 0.95


def test_no_view_is_flipped(frame: np.ndarray) -> None:
    for seed in seeds_of_level(1, 100):
        view = challenge.view(frame, "2026-01", seed).astype(int)
        red, white = view[:, :, 0] - view[:, :, 1] > 100, view[:, :, 1] > 150
        if red.sum() > 2000 and white.sum() > 2000:
            assert np.nonzero(red)[1].mean() < np.nonzero(white)[1].mean()


def test_an_object_survives_the_crop_about_as_often_as_on_the_subnet() -> None:
    rng = np.random.default_rng(0)
    seen = []
    for seed in [seed for seed in range(800) if challenge.level_of(seed) > 0]:
        x, y = int(rng.integers(64, 576)), int(rng.integers(36, 324))
        spot = np.zeros((360, 640, 3), np.uint8)
        spot[y - 3 : y + 4, x - 3 : x + 4] = 255
        seen.append(challenge.view(spot, "2026-01", seed).max() > 60)
    assert np.mean(seen) == pytest.approx(0.5, abs=0.07)


def test_only_levels_2_and_3_distort(frame: np.ndarray) -> None:
    red = np.zeros((360, 640, 3), np.uint8)
    red[:, :, 0] = 200
    tones = {}
    for level in range(4):
        views = [challenge.view(red, "2026-01", seed) for seed in seeds_of_level(level, 60)]
        tones[level] = {tuple(np.median(view.reshape(-1, 3), axis=0)) for view in views}
    assert tones[0] == {(200.0, 0.0, 0.0)}
    assert {tone for tone in tones[1] if tone[0]} == {(200.0, 0.0, 0.0)}
    assert len(tones[2]) >= 4
    assert len(tones[3]) > len(tones[2])


def test_letterbox_keeps_the_aspect(frame: np.ndarray) -> None:
    view = challenge.view(frame, "letterbox", 0)
    assert (view[:49] == 0).all() and (view[-49:] == 0).all()
    assert (view[49:175, :, 0] == 255).all()


def test_an_unknown_profile_is_named() -> None:
    with pytest.raises(ValueError, match="2027"):
        challenge.view(np.zeros((2, 2, 3), np.uint8), "2027", 0)


def test_encoding_is_a_deterministic_rgb_jpeg() -> None:
    red = np.zeros((224, 224, 3), np.uint8)
    red[:, :, 0] = 220
    data = challenge.encode(red)
    assert data == challenge.encode(red)
    back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert back[:, :, 2].mean() > 200 > 30 > back[:, :, 0].mean()


def test_seeds_of_views_are_stable_and_differ() -> None:
    assert challenge.seed_of("ab" * 32, "2026-01/0") == challenge.seed_of("ab" * 32, "2026-01/0")
    assert len({challenge.seed_of("ab" * 32, f"2026-01/{k}") for k in range(50)}) == 50


TABLE = {0.90: 0.62, 0.94: 0.76, 0.95: 0.80, 0.96: 0.835, 0.97: 0.875, 0.98: 0.916, 0.99: 0.96}


@pytest.mark.parametrize(("accuracy", "pay"), TABLE.items())
def test_pay_by_balanced_accuracy(accuracy: float, pay: float) -> None:
    labels = np.tile([0, 1], 100)
    right = np.arange(200) // 2 < round(100 * accuracy)
    answers = np.where(right, labels, 1 - labels)
    assert challenge.expected_reward(labels, answers) == pytest.approx(pay, abs=0.012)


def test_pay_does_not_depend_on_the_order_of_the_evidence() -> None:
    labels, answers = np.tile([0, 1], 50), np.linspace(0, 1, 100)
    order = np.random.default_rng(1).permutation(100)
    first, second = (
        challenge.expected_reward(labels, answers),
        challenge.expected_reward(labels[order], answers[order]),
    )
    assert first == pytest.approx(second, abs=0.01)


def test_reward_of_one_challenge_by_hand() -> None:
    labels = np.array([1, 0, 1, 0] * 30)
    perfect = challenge.reward(labels, labels)
    assert perfect[-1] == 1.0
    one_wrong = labels.astype(float)
    one_wrong[-1] = 1.0
    hits, alarms, rejections = 50, 1, 49
    mcc = hits * rejections / np.sqrt((hits + alarms) * hits * (rejections + alarms) * rejections)
    assert challenge.reward(labels, one_wrong)[-1] == pytest.approx((0.5 * mcc + 0.5 * 0.9) ** 3)


def test_exactly_one_half_means_clear() -> None:
    labels = np.tile([0, 1], 60)
    assert challenge.reward(labels, np.where(labels == 1, 0.51, 0.5))[-1] == 1.0


@pytest.mark.parametrize("invalid", [-1.0, 1.01, np.nan])
def test_an_invalid_answer_earns_nothing_and_stains_nothing(invalid: float) -> None:
    labels = np.tile([0, 1], 60)
    answers = labels.astype(float)
    answers[60] = invalid
    earned = challenge.reward(labels, answers)
    assert earned[60] == 0.0
    assert earned[61] == 1.0


def test_no_answers_no_expectation() -> None:
    with pytest.raises(ValueError, match="no labelled"):
        challenge.expected_reward([], [])
