"""Rerank: a query and its candidates in, an order of the candidates out."""

from __future__ import annotations

from edgekd.data.rank_reader import RANKS
from edgekd.evaluate.rank.cascade import choose_keep
from edgekd.evaluate.rank.scorer import RANK_SCORER
from edgekd.tasks.claimed import claim_places
from edgekd.tasks.learning import RankLearning
from edgekd.tasks.task import Task
from edgekd.words import RANK

TASK = Task(
    name="rerank",
    head="rank",
    learning=RankLearning(),
    reader=RANKS,
    scorer=RANK_SCORER,
    words=RANK,
    choose_keep=choose_keep,
    claim=claim_places,
)
