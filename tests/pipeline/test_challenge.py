"""The replica behaves as the validators' code does, in distribution and in pay."""

import cv2
import numpy as np
import pytest
from scipy import stats

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


WIDTH, HEIGHT = 640, 360


@pytest.fixture(scope="module")
def maps() -> np.ndarray:
    """Of 400 level-1 views, the map from view to frame, read off a chart whose colours are coordinates."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    chart = np.stack([x / WIDTH * 200 + 40, y / HEIGHT * 200 + 40, np.full_like(x, 250)], axis=2)
    return np.stack([affine(chart.round().astype(np.uint8), seed) for seed in seeds_of_level(1, 400)])


def affine(chart: np.ndarray, seed: int) -> np.ndarray:
    view = challenge.view(chart, "2026-01", seed).astype(float)
    rows, columns = np.nonzero(cv2.erode((view[:, :, 2] > 249).astype(np.uint8), np.ones((5, 5))))
    shown = view[rows, columns]
    frame = np.stack([(shown[:, 0] - 40) / 200 * WIDTH, (shown[:, 1] - 40) / 200 * HEIGHT], 1)
    return np.linalg.lstsq(np.stack([columns, rows, np.ones(len(rows))], 1), frame, rcond=None)[0]


def test_crop_areas_are_drawn_as_the_validator_draws_them(maps: np.ndarray) -> None:
    areas = abs(np.linalg.det(maps[:, :2])) * challenge.SIDE**2 / (WIDTH * HEIGHT)
    # On 16:9 a square above 9/16 of the area does not fit and is drawn again: what remains is 0.2 to 0.5625.
    assert stats.kstest(areas, stats.uniform(0.2, 9 / 16 - 0.2).cdf).pvalue > 0.01
    assert stats.kstest(areas, stats.uniform(0.2, 0.8).cdf).pvalue < 1e-6  # the test can fail


def test_the_tilt_is_uniform_within_20_degrees(maps: np.ndarray) -> None:
    tilt = np.degrees(np.arctan2(maps[:, 0, 1], maps[:, 0, 0]))
    assert stats.kstest(tilt, stats.uniform(-20, 40).cdf).pvalue > 0.01
    assert abs(tilt).max() < 20.5


def test_crops_lie_anywhere_they_fit(maps: np.ndarray) -> None:
    """Seen from the tilted frame: the corner is uniform over the room that the crop's side leaves."""
    side = np.sqrt(abs(np.linalg.det(maps[:, :2]))) * challenge.SIDE
    turned = np.stack([unturned(np.array([111.5, 111.5, 1]) @ one, one) for one in maps])
    for axis, length in enumerate((WIDTH, HEIGHT)):
        room = length - side
        free = room > 20
        share = (turned[free, axis] - side[free] / 2) / room[free]
        assert stats.kstest(share, stats.uniform(0, 1).cdf).pvalue > 0.01, axis


def unturned(point: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Where a point of the frame lay after the tilt, which turns around the middle."""
    middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    turn = one[:2] / np.sqrt(abs(np.linalg.det(one[:2])))
    return (point - middle) @ turn.T + middle


def test_no_view_is_flipped_and_all_are_square(maps: np.ndarray) -> None:
    assert (np.linalg.det(maps[:, :2]) > 0).all()
    across, up = np.linalg.norm(maps[:, 0], axis=1), np.linalg.norm(maps[:, 1], axis=1)
    assert np.allclose(across, up, rtol=0.03)


def test_corners_that_the_tilt_brings_in_are_black() -> None:
    white = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    for level, expected in ((0, 0.0), (1, corners_expected())):
        views = [challenge.view(white, "2026-01", seed) for seed in seeds_of_level(level, 400)]
        assert np.mean([(view == 0).all(axis=2).any() for view in views]) == pytest.approx(expected, abs=0.07)
        assert all(((view == 0) | (view == 255)).mean() > 0.97 for view in views)


def corners_expected() -> float:
    """How often a crop of these facts reaches beyond the tilted frame: geometry alone, no pictures."""
    rng = np.random.default_rng(0)
    beyond = []
    for _ in range(4000):
        side = np.sqrt(WIDTH * HEIGHT * rng.uniform(0.2, 9 / 16))
        left, top, tilt = rng.uniform(0, WIDTH - side), rng.uniform(0, HEIGHT - side), rng.uniform(-20, 20)
        corners = np.array([(left, top), (left + side, top), (left, top + side), (left + side, top + side)])
        angle = np.radians(tilt)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        there = abs((corners - (WIDTH / 2, HEIGHT / 2)) @ turn)
        beyond.append((there > (WIDTH / 2 + 1, HEIGHT / 2 + 1)).any())
    return float(np.mean(beyond))


def distorted(level: int, colour: tuple[int, int, int], count: int = 150) -> np.ndarray:
    """The middle of level-`level` views of one colour, far from any corner."""
    frame = np.full((HEIGHT, WIDTH, 3), colour, np.uint8)
    views = (
        challenge.view(frame, "2026-01", seed)[82:142, 82:142] for seed in seeds_of_level(level, 3 * count)
    )
    inside = [view.astype(float) for view in views if (view.max(axis=2) > 20).all()]
    return np.stack(inside[:count])


def shares(found: np.ndarray, expected: tuple[float, ...], tolerance: float) -> None:
    """Each expected strength in equally many views, and no others."""
    nearest = abs(found[:, None] - np.array(expected)).argmin(1)
    assert np.allclose(found, np.array(expected)[nearest], atol=tolerance)
    counts = np.bincount(nearest, minlength=len(expected))
    assert len(counts) == 1 or stats.chisquare(counts).pvalue > 0.001, counts


@pytest.mark.parametrize(
    ("level", "contrast", "saturation"),
    [(1, (1.0,), (1.0,)), (2, (1.0, 0.85), (1.0, 0.4)), (3, (1.0, 0.85, 0.725), (1.0, 0.4, 0.3))],
)
def test_contrast_and_saturation_have_the_validators_strengths(
    level: int, contrast: tuple[float, ...], saturation: tuple[float, ...]
) -> None:
    grey = distorted(level, (200, 200, 200)).mean((1, 2, 3)) / 200
    shares(grey, contrast, 0.012)
    red = distorted(level, (180, 90, 90)).mean((1, 2))
    luma = red @ (0.299, 0.587, 0.114)
    shares((red[:, 0] - luma) / luma / ((180 - 116.91) / 116.91), saturation, 0.049)


def test_noise_and_blur_have_the_validators_strengths() -> None:
    """Noise by its deviation; blur, drawn apart from it, by how much alike it leaves neighbours."""
    luma = distorted(3, (128, 128, 128), 400) @ (0.299, 0.587, 0.114)
    centred = luma - luma.mean((1, 2), keepdims=True)
    spread = centred.std((1, 2))
    noisy = spread > 0.5
    assert np.mean(noisy) == pytest.approx(2 / 3, abs=0.08)
    alike = (centred[:, :, 1:] * centred[:, :, :-1]).mean((1, 2))[noisy] / spread[noisy] ** 2
    sharp = alike < 0.3
    assert np.mean(sharp) == pytest.approx(1 / 3, abs=0.1)
    shares(spread[noisy][sharp], (255 * 0.001**0.5, 255 * 0.002**0.5), 1.5)
    kept = [blurred_spread(kernel) for kernel in (7, 9)]
    blurred = spread[noisy][~sharp] / 255
    shares(blurred, tuple(v**0.5 * k for v in (0.001, 0.002) for k in kept), 0.002)


def blurred_spread(kernel: int) -> float:
    taps = cv2.getGaussianKernel(kernel, kernel / 6)
    return float((taps**2).sum())


@pytest.mark.parametrize(("factor", "left"), [(1, 224), (2, 112), (3, 74)])
def test_resampling_leaves_as_many_rows_as_a_smaller_picture_has(factor: int, left: int) -> None:
    rough = np.random.default_rng(0).integers(60, 190, (224, 224, 1)).repeat(3, 2).astype(np.uint8)
    values = np.linalg.svd(challenge._resample(rough, factor)[:, :, 0].astype(float), compute_uv=False)
    rounding = 12  # rows that only rounding tells apart
    assert left - 12 <= (values > rounding).sum() <= left


@pytest.mark.parametrize(("level", "factors"), [(1, (1,)), (2, (1, 2))])
def test_resampling_comes_from_level_2_on(level: int, factors: tuple[int, ...]) -> None:
    """A rough frame loses its finest grain in half of the views of level 2, and in none of level 1."""
    rough = np.random.default_rng(0).integers(60, 190, (224, 224, 1)).repeat(3, 2).astype(np.uint8)
    frame = cv2.resize(rough, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    details = np.array(
        [detail(challenge.view(frame, "2026-01", seed)) for seed in seeds_of_level(level, 300)]
    )
    assert np.mean(details < 0.62) == pytest.approx(1 - 1 / len(factors), abs=0.1)


def detail(view: np.ndarray) -> float:
    """How much of its contrast a view's finest grain holds, whatever the contrast."""
    grain = view[:, :, 0].astype(float)
    coarse = cv2.GaussianBlur(grain, (5, 5), 1)
    inside = cv2.erode((view.max(axis=2) > 5).astype(np.uint8), np.ones((9, 9))) > 0
    return float((grain - coarse)[inside].std() / coarse[inside].std())


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
    assert challenge.expected_reward(labels, answers) == pytest.approx(pay, abs=0.01)


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


def test_the_moving_average_takes_a_twentieth_of_each_challenge() -> None:
    kept = challenge.ema([1.0, 1.0, 0.0])
    assert np.allclose(kept, [0.05, 0.05 + 0.05 * 0.95, 0.95 * (0.05 + 0.05 * 0.95)])
    assert challenge.ema(np.ones(200))[-1] == pytest.approx(1, abs=1e-4)


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
