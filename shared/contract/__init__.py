"""What travels, and what a channel is: data and pure functions that everything else may see."""
