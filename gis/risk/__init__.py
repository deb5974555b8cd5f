"""Risk of landslides and flash floods by rain: the law's levels, and second opinions."""
