"""The TOML of a model: what it means, and how mistakes are told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import samples

from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.model.build import build_layers, build_model, initial_span
from tpsgd_host.model.modelfile import OFFSET, Layer
from tpsgd_host.model.parsing import parse_config

TEXT = """\
[model]
name = "wand"
seed = 3

[data]
steps = 16
channels = 6
windows = "recording"

[training]
shifts = [8, 9]

[[layer]]
kind = "recurrent"
units = 32
leak = 1

[[layer]]
kind = "output"
"""

ROWS = '[data]\nchannels = 4\n[[layer]]\nkind = "dense"\nunits = 5\n[[layer]]\nkind = "output"\n'


def test_defaults_and_what_is_said() -> None:
    """Defaults, and settings that are given."""
    config = parse_config(TEXT, "wand.toml")
    assert (config.name, config.seed, config.classes) == ("wand", 3, ())
    assert (config.layout.steps, config.layout.channels, config.layout.windows) == (16, 6, "recording")
    assert (config.training.readout_steps, config.training.update_at) == (4, "last")
    assert [(layer.kind, layer.units, layer.shifts, layer.init) for layer in config.layers] == [
        ("recurrent", 32, (8, 9), 1.0), ("output", 0, (8, 9), 0.0)
    ]  # fmt: skip


def test_few_steps_have_as_many_checkpoints() -> None:
    """Few steps have as many checkpoints."""
    assert parse_config(TEXT.replace("steps = 16", "steps = 3"), "x").training.readout_steps == 3


def test_channels_follow_from_the_columns() -> None:
    """Channels follow from the columns."""
    rows = ROWS.replace("channels = 4", 'columns = ["a", "b", "c", "d", "e", "f"]\nsteps = 2')
    assert parse_config(rows, "x").layout.channels == 3
    assert parse_config(rows, "x").training.readout_steps == 0


LABEL_AFTER = '[[layer]]\nkind = "dense"\nunits = 3\ntarget = "label"\n[[layer]]\nkind = "output"'


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("steps = 16", "step = 16", 6, "Did you mean 'steps'?"),
        ("steps = 16", "steps = 0", 6, "steps in [data] is 0, but must be a whole number from 1 to 4096"),
        ("steps = 16", "steps = true", 6, "is true"),
        ("steps = 16", 'steps = "16"', 6, "'16'"),
        ("channels = 6", "", 5, "channels in [data] is missing"),
        ("channels = 6", 'channels = 6\ncolumns = ["a"]', 7, "the columns make 1"),
        ("channels = 6", 'columns = ["a", "a"]', 7, "'a' twice"),
        ("channels = 6", 'channels = 6\nlabel = "a"\ncolumns = ["a"]', 9, "which is the label"),
        ("channels = 6", "channels = 6\nhop = 3", 8, "only with a window"),
        ("channels = 6", "channels = 6\ngain = 2.0", 8, 'only with scale = "fixed"'),
        ("channels = 6", 'channels = 6\nscale = "fixed"\ngain = [1, 2]', 9, "has 2 numbers, but there are 6 channels"),
        ("channels = 6", "channels = 6\nsigmas = inf", 8, "inf"),
        ('"output"', '"ouput"', 19, "Did you mean 'output'?"),
        ("units = 32", "units = 2000", 15, "1 to 1024"),
        ("units = 32", "units = 1034", 15, "1 to 1024"),
        ("units = 32", "units = 300", 18, "1200 inputs; the maximum is 1039"),
        ("leak = 1", "leak = 8", 16, "0 to 7"),
        ("leak = 1", 'target = "label"\nl1 = 5', 17, 'only with loss = "l1"'),
        ("leak = 1", "amplitude = 50", 16, "this one learns from feedback"),
        ("leak = 1", 'target = "labels"', 16, "Did you mean 'label'?"),
        ('[[layer]]\nkind = "output"', LABEL_AFTER, 21, "but the layer before it learns from feedback"),
        ('kind = "output"', 'kind = "output"\nfrozen = true', 20, "the layer before it learns from its feedback"),
        ("leak = 1", "shifts = [8]", 16, "1 phases, but [training] has 2"),
        ("seed = 3", "seed = 0", 3, "4294967295"),
        ("seed = 3", 'classes = ["a"]', 3, "2 to 255"),
        ("seed = 3", "seed = 3\n[dat]", 4, "Did you mean 'data'?"),
        ("shifts = [8, 9]", "shifts = [8, 16]", 11, "0 to 15"),
        ("shifts = [8, 9]", 'target = "label"\nupdate_at = "all"', 12, '"every"'),
        ("shifts = [8, 9]", 'update_at = "last"', 11, "with feedback they learn at every readout step"),
        ("shifts = [8, 9]", "readout_steps = 17", 11, "1 to 16"),
        ('"recurrent"\nunits = 32\nleak = 1', '"dense"\nunits = 3\nleak = 1', 16, "recurrent layers"),
        ('kind = "output"', 'kind = "output"\nunits = 2\namplitude = 3', 21, "hidden layers"),
    ],
)
def test_mistakes_name_line_value_and_what_is_allowed(old: str, new: str, line: int, said: str) -> None:
    """Mistakes name line value and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        parse_config(TEXT.replace(old, new), "wand.toml")
    assert f"wand.toml, line {line}: " in caught.value.message
    assert said in caught.value.message + caught.value.hint


def test_recurrent_settings_without_a_recurrent_layer_are_refused() -> None:
    """Recurrent settings without a recurrent layer are refused."""
    with pytest.raises(ConfigError, match="only with a recurrent layer"):
        parse_config(ROWS + "[training]\nupdate_at = 'last'\n", "x")


def test_layers_must_end_in_an_output() -> None:
    """Layers must end in an output."""
    for text in (ROWS.replace('"output"', '"dense"\nunits = 2'), '[[layer]]\nkind = "output"\n' + ROWS):
        with pytest.raises(ConfigError, match="number"):
            parse_config(text, "x")
    with pytest.raises(ConfigError, match="there is no"):
        parse_config("[data]\nchannels = 4\n", "x")


IMAGE = """[data]
steps = 8
channels = 8
[[layer]]
kind = "conv"
units = 4
kernel = [3, 3]
pool = 2
[[layer]]
kind = "conv"
units = 5
kernel = [2, 2]
[[layer]]
kind = "dense"
units = 7
[[layer]]
kind = "output"
"""


def test_conv_layers() -> None:
    """Kernels of two numbers over an image, of one number over steps of all channels."""
    config = parse_config(IMAGE, "x")
    assert [layer.kernel for layer in config.layers] == [(3, 3), (2, 2), (0, 0), (0, 0)]
    assert [layer.inputs for layer in build_layers(config, "ab")] == [9, 16, 20, 7]
    deep = parse_config(IMAGE.replace("[3, 3]", "[3, 3]\ndepth = 2").replace("[2, 2]", "[2, 1]"), "x")
    assert [layer.inputs for layer in build_layers(deep, "ab")][:1] == [18]
    flat = IMAGE.replace("[3, 3]", "3").replace("[2, 2]", "2")
    assert [layer.inputs for layer in build_layers(parse_config(flat, "x"), "ab")] == [24, 8, 10, 7]


def test_stacked_recurrent_layers() -> None:
    """A recurrent layer reads the one before it; the last one's states at the readout steps are passed on."""
    layer = '[[layer]]\nkind = "recurrent"\nunits = {}\n'
    text = "[data]\nsteps = 4\nchannels = 3\n" + layer.format(5) + layer.format(6) + '[[layer]]\nkind = "output"\n'
    config = parse_config(text, "x")
    assert [layer.inputs for layer in build_layers(config, "ab")] == [8, 11, 24]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("[3, 3]", "[9, 1]", 7, "number 1 has a kernel of 9 x 1: there are too few positions in a map of 8 x 8"),
        ("[2, 2]", "3", 12, "kernel = 3, a single number, but reads a map of 3 x 3"),
        ("pool = 2", "pool = 7", 8, "pools by 7"),
        ("[3, 3]", "[3, 3, 1]", 7, "a list of 1 to 2"),
        ("kernel = [2, 2]\n", "", 0, "kernel in [[layer]] number 2 is missing"),
        ("[2, 2]", "[2, 2]\ndepth = 4", 13, "a setting of the first layer"),
        ("[3, 3]", "[3, 3]\ndepth = 3", 8, "does not divide the 8 channels"),
        ("[3, 3]", "3\ndepth = 8", 8, "only with a kernel of two numbers"),
        ("units = 7", "units = 7\npool = 2", 16, "a setting of conv layers"),
        ('"dense"\nunits = 7', '"recurrent"\nunits = 7', 14, "number 3 is recurrent after a conv one"),
        (
            '"conv"\nunits = 4\nkernel = [3, 3]\npool = 2',
            '"dense"\nunits = 4',
            8,
            "number 2 is conv after a dense one",
        ),
        ("units = 4", "units = 400", 9, "number 2 has 1600 inputs"),
    ],
)
def test_conv_layers_that_cannot_be(old: str, new: str, line: int, said: str) -> None:
    """What does not fit is told with its line."""
    assert old in IMAGE
    with pytest.raises(ConfigError) as caught:
        parse_config(IMAGE.replace(old, new), "cnn.toml")
    assert said in caught.value.message
    assert not line or f"line {line}: " in caught.value.message


@given(st.text(max_size=200))
def test_any_text_is_a_model_or_a_config_error(text: str) -> None:
    """Any text is a model or a config error."""
    with pytest.raises(ConfigError):
        parse_config(text, "x")  # no text this short and this random has a [[layer]]


@given(st.sampled_from(TEXT.splitlines()), st.text(alphabet='[]="\n abc019.-{}', max_size=12))
def test_a_changed_line_is_a_model_or_a_config_error(line: str, text: str) -> None:
    """A changed line is a model or a config error."""
    try:
        config = parse_config(TEXT.replace(line, text, 1), "x")
    except ConfigError as error:
        assert error.message.startswith("x")
    else:
        assert config.layers[-1].kind == "output"


def test_build_draws_the_weights_of_the_seed() -> None:
    """Build draws the weights of the seed."""
    one, again = (build_model(parse_config(ROWS, "x"), samples()) for _ in range(2))
    other = build_model(parse_config("[model]\nseed = 2\n" + ROWS, "x"), samples())
    assert one.to_bytes() == again.to_bytes()
    assert (one.weights[0] != other.weights[0]).mean() > 0.5
    span = initial_span(one.layers[0], 1.0)
    hidden = one.weights[0].astype(int) - OFFSET
    assert 0.8 * span < np.abs(hidden[:, :-1]).max() <= span
    assert not hidden[:, -1].any()
    assert (one.weights[1] == OFFSET).all()  # the output begins at 0


def test_initial_range() -> None:
    """Initial range."""
    assert initial_span(Layer("dense", 4, 3, (9,)), 1.0) == 2**13
    assert initial_span(Layer("dense", 4, 12, (9,), shift=6), 0.5) == 2**12
    assert initial_span(Layer("dense", 4, 1, (9,), shift=9), 1.0) == 32639


def test_a_frozen_layer_keeps_the_high_bytes() -> None:
    """A frozen layer keeps the high bytes."""
    trained = build_model(parse_config(ROWS, "x"), samples())
    frozen = build_model(parse_config(ROWS.replace("units = 5", "units = 5\nfrozen = true"), "x"), samples())
    assert frozen.weights[0].dtype == np.uint8
    assert (frozen.weights[0] == trained.weights[0] >> 8).all()


def test_fixed_scaling_is_taken_as_it_is() -> None:
    """Fixed scaling is taken as it is."""
    text = ROWS.replace("channels = 4", 'channels = 4\nscale = "fixed"\noffset = 2\ngain = [1, 2, 3, 4]')
    scaling = build_model(parse_config(text, "x"), samples()).scaling
    assert scaling.offset.tolist() == [2.0] * 4
    assert scaling.gain.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_classes_come_from_the_data_and_must_be_as_many_as_said() -> None:
    """Classes come from the data and must be as many as said."""
    assert build_model(parse_config(ROWS, "x"), samples()).classes == ("rest", "wave", "tap")
    with pytest.raises(ConfigError, match="2 units, but there are 3 classes"):
        build_model(parse_config(ROWS.replace('"output"', '"output"\nunits = 2'), "x"), samples())
    single = samples()
    with pytest.raises(DataError, match="1 class,"):
        build_model(parse_config(ROWS, "x"), type(single)(**{**vars(single), "classes": ("a",)}))


@pytest.mark.parametrize(("old", "new"), [("rule", "update_at"), ("checkpoints", "readout_steps")])
def test_a_setting_that_was_renamed_names_the_new_word(old, new):
    with pytest.raises(ConfigError, match=f"{old} in .training. is not a setting") as caught:
        parse_config(TEXT.replace("[training]\n", f"[training]\n{old} = 4\n"), "x")
    assert new in caught.value.hint
