"""The HTTP door: explained prices for people and programs that know no statistics."""
