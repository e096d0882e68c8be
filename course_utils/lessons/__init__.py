"""What one lesson needs beside its notebook, under the name of the lesson."""
