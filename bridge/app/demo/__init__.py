"""`bridge demo`: the whole service with its neighbours on one machine, judged by reading the topics back."""
