"""The activity `sweep`: enrol those who came into the segments by which tracks are entered."""

from dataclasses import dataclass

from temporalio import activity

from models.messages import SweepTold
from perennial.journeys.sweeping import Sweeper


@dataclass(frozen=True)
class SweepActivity:
    """The activity `sweep` by this sweeper."""

    sweeper: Sweeper

    @activity.defn(name="sweep")
    async def sweep(self) -> SweepTold:
        """Sweep every segment once; a heartbeat says how far it is. A repeat enrols nobody twice."""
        found = await self.sweeper.sweep(lambda way, done, most: activity.heartbeat(f"{way}: {done} of {most}"))
        return SweepTold(
            came=sum(each.came for each in found),
            left=sum(each.left for each in found),
            enrolled=sum(each.results["enrolled"] for each in found),
        )
