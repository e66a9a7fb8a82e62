"""The sample account: benchmark runs made from raw statements, their rows and their ground truth."""
