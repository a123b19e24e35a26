package dev.wclayer.cli;

import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.io.InputStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(name = "cat", description = "Write the content of a file, or of one of its alternate streams, to stdout.")
final class CatCommand extends LayerCommand {
    @Parameters(index = "0", paramLabel = "ID", description = "The layer.")
    private String id;

    @Parameters(
            index = "1",
            paramLabel = "PATH[:STREAM]",
            description = "The file, as Files/a.txt or Files/a.txt:note.")
    private String path;

    @Override
    void check(Output output) {
        if (output.wantsJson()) {
            throw wrongUsage("cat writes the content as it is; it has no JSON");
        }
    }

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        // Names in a layer hold no colon.
        int colon = path.indexOf(':');
        String file = colon < 0 ? path : path.substring(0, colon);
        String stream = colon < 0 ? "" : path.substring(colon + 1);
        try (InputStream content = driver.openStream(id, file, stream)) {
            content.transferTo(output.stream());
        }
        return CommandLines.OK;
    }
}
