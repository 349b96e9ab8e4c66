# Facette on a processor, for a user without rights: what draws, and by the argument EXTRAS what you want besides.
#
#   docker build -t facette .
#   docker run --rm -v "$PWD:/photos" facette vary me.jpg
#   docker compose up studio
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE NOTICE CHANGELOG.md hatch_build.py ./
COPY LICENSES LICENSES
COPY src src
ARG EXTRAS=heic
# Everything is installed into one folder, which is all that the second stage takes over.
RUN pip install --no-cache-dir --no-compile --prefix=/installed ".[${EXTRAS}]"

FROM python:3.12-slim
COPY --from=build /installed /usr/local
RUN useradd --create-home --uid 1000 facette && mkdir /photos && chown facette /photos
USER facette
# Pictures are written where they were mounted; what is kept between commands is lost with the container.
WORKDIR /photos
ENV FACETTE_CACHE=/tmp/facette PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["facette"]
CMD ["--help"]
