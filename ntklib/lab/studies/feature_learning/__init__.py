"""Teacher and student: feature learning by scale and parameterisation."""
