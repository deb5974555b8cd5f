"""The interface of a notification channel."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

from gis.deadline import Deadline
from gis.settings import Settings

if TYPE_CHECKING:
    from gis.notify.outbox import Delivery


class Channel(ABC):
    """One way by which notifications reach recipients, such as mail."""

    name: ClassVar[str]  # as subscriptions store it
    label: ClassVar[str]  # of its addresses, in help texts: "mail address"

    @classmethod
    @abstractmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The channel as the settings configure it. Raises BadInput."""

    @abstractmethod
    def check_address(self, address: str) -> None:
        """Raises BadInput for an address to which nothing can ever be sent."""

    def shown_address(self, address: str) -> str:
        """The address as it is listed. Where it hides a part, since the address is of a person, the
        whole is stored in schema `private`.
        """
        return address

    def new_secret(self) -> str | None:
        """A secret for a new subscription, where the channel signs; it is stored and shown once."""
        return None

    @abstractmethod
    def send(self, delivery: "Delivery", until: Deadline) -> None:
        """One attempt to send a notification to its subscription; returning means it arrived.

        Repeats have the same `delivery.key`. Raises NotDelivered, and Undeliverable where no other
        attempt can succeed.
        """
