"""The studio: the rooms of the house behind one local page. Its own files talk to the browser; nothing else does.

A page is a file in `pages/` with one function, called while the Gradio blocks are being built and inside its tab:

    def page(studio: Studio) -> None:
        photo = photo_box("Photo", "edit-photo")        # parts.py: drop, paste, choose, camera; its value is a token
        picture = gr.HTML()                             # pictures are inline PNGs: faces(…) in parts.py draws them
        live(studio, photo.change, show, [photo], [picture])

What a page may count on:

    studio.model, studio.model_name           the model that draws, and what it was called on the command line
    studio.named                              the same for another process, where torch computes it (apart.py)
    studio.photos.take(held)                  the photo that a box holds, as the model sees it (photo.py)
    studio.downloads.put(tab, key, bytes, …)  bytes to save or for a frame, at the address it returns (downloads.py)
    studio.readable(text)                     a folder that was typed, where the studio may read it
    live, aside, long                         bind an event (events.py); errors become sentences
    command_line(…)                           the same as `facette …`, quoted (parts.py)

Nothing of a visitor is written to disk, and the server looks nothing up but by unguessable tokens, so tabs do not mix.
Latents, seeds and tokens are the state; pictures are made from them again. Importing this package imports no Gradio.
"""
