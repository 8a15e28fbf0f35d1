import subprocess
import sys


def test_learners_are_made_without_torch():
    """What only reads a project or labels with a compiled teacher is spared two seconds."""
    code = (
        "import sys; from edgekd.distill.learners.classify import Classify\n"
        "from edgekd.distill.learners.score import Score\n"
        "assert Classify(('a', 'b')).outputs == ('a', 'b') and Score().outputs == ('score',)\n"
        "assert not {'torch', 'transformers', 'sklearn'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
