"""The variational autoencoder itself. Knows neither data nor training."""
