"""What a student learns from: what is chosen for labels, what is true, what is still true."""
