// Without it the book can do all but two things: hide all code, and search on a stick.
{
    const { hide, show } = document.currentScript.dataset;

    // A page from a stick may not read others: the search then shows titles without what stands around the words.
    if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

    addEventListener("DOMContentLoaded", () => {
        const title = document.querySelector("article h1");
        if (!title || !document.querySelector("article .cell_input")) return;
        const button = document.createElement("button");
        button.className = "hide-code";
        button.textContent = hide;
        button.addEventListener("click", () => {
            const hidden = document.body.classList.toggle("without-code");
            button.textContent = hidden ? show : hide;
        });
        title.after(button);
    });
}
