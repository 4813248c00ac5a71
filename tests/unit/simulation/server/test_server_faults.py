"""What goes wrong on a stream on request, frame by frame."""

import pytest

from quant_trading_system.simulation.alpaca_server.stream_faults import GARBAGE, StreamFault, StreamFaults

FRAMES = [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize(
    ("fault", "times", "heard"),
    [
        (StreamFault.DROP, 2, [b"3", b"4"]),
        (StreamFault.DUPLICATE, 1, [b"1", b"1", b"2", b"3", b"4"]),
        (StreamFault.REORDER, 1, [b"2", b"1", b"3", b"4"]),
        (StreamFault.REORDER, 2, [b"2", b"1", b"4", b"3"]),
        (StreamFault.GARBAGE, 1, [GARBAGE, b"2", b"3", b"4"]),
    ],
)
def test_a_fault_concerns_as_many_frames_as_it_says(fault, times, heard):
    faults = StreamFaults()
    faults.plan(fault, times)
    assert [frame for sent in FRAMES for frame in faults.pass_on(sent)] == heard


def test_a_muted_stream_says_nothing_until_further_notice():
    faults = StreamFaults()
    faults.plan(StreamFault.MUTE, 1)
    assert [faults.pass_on(frame) for frame in FRAMES] == [()] * 4
    faults.plan(StreamFault.UNMUTE, 1)
    assert faults.pass_on(b"5") == (b"5",)


def test_clearing_ends_everything():
    faults = StreamFaults()
    for fault in (StreamFault.REORDER, StreamFault.DROP, StreamFault.MUTE):
        faults.plan(fault, 5)
    faults.clear()
    assert faults.pass_on(b"1") == (b"1",)


def test_faults_happen_one_after_the_other():
    faults = StreamFaults()
    faults.plan(StreamFault.DROP, 1)
    faults.plan(StreamFault.DUPLICATE, 1)
    assert [faults.pass_on(frame) for frame in FRAMES[:3]] == [(), (b"2", b"2"), (b"3",)]
