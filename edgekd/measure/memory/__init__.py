"""The least memory under which a subject still answers, found with a real limit."""
