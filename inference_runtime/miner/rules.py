"""Who is answered."""

from dataclasses import dataclass

from inference_runtime.miner.neurons import Neurons


@dataclass(frozen=True)
class Rules:
    needs_permit: bool = True
    min_stake: float = 0.0

    def refusal(self, hotkey: str | None, neurons: Neurons) -> str | None:
        """Why this caller gets 403; None when it does not."""
        if not hotkey:
            return "no dendrite hotkey"
        neuron = neurons.by_hotkey.get(hotkey)
        if neuron is None:
            return "hotkey is not registered on this subnet"
        if self.needs_permit and not neuron.permit:
            return "hotkey has no validator permit"
        if neuron.stake < self.min_stake:
            return f"stake of {neuron.stake:g} is under {self.min_stake:g}"
        return None


def stake(hotkey: str | None, neurons: Neurons) -> float:
    neuron = neurons.by_hotkey.get(hotkey or "")
    return neuron.stake if neuron else 0.0
