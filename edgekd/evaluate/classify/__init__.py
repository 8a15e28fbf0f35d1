"""Quality where answers are classes: recall and precision, calibration, a bias per class, routing."""
