"""Messages of other programs: what they hold, by the definitions that come with them."""
