from pop3proto import Signal, State


def test_a_session_has_the_states_of_the_rfcs_and_two_ends() -> None:
    assert [state.name for state in State] == [
        "GREETING",
        "AUTHORIZATION",
        "AUTHENTICATING",
        "TLS_NEGOTIATION",
        "TRANSACTION",
        "UPDATE",
        "CLOSED",
        "DEAD",
    ]


def test_signals_are_no_states_and_no_events() -> None:
    assert {Signal.NEED_DATA, Signal.PAUSED} == set(Signal)
    assert not {signal.value for signal in Signal} & {state.value for state in State}
