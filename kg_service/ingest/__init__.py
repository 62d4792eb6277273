"""What comes in: files now; tables and remote sources later."""
