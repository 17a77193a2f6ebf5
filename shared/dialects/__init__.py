"""What channels of several services share because one provider speaks it."""
