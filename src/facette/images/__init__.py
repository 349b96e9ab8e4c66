"""From a file somebody has to the array a model takes, and from arrays to sheets somebody looks at."""
