"""The verbs for many runs: campaigns, the queue and its runner, the page that watches them; and what they print."""
