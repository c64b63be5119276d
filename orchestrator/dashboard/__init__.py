"""A page to watch studies in a browser, from their files alone; knows no Ray and writes nothing."""
