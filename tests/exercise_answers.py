"""How tests of exercises ask for a refusal."""


def refused(exercise, answer, *sentences):
    """The answer is judged, found wrong, and told these sentences."""
    passed, message = exercise.verdict(answer)
    assert passed is False, message
    assert "could not be evaluated" not in message
    for sentence in sentences:
        assert sentence in message, message
