package dev.wclayer.cli;

import dev.wclayer.CreateOptions;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "create", description = "Make an empty layer, or a writable one.")
final class CreateCommand extends LayerCommand {
    @Parameters(paramLabel = "ID", description = "The new layer.")
    private String id;

    @Option(names = "--parent", paramLabel = "P", description = "The layer below. Default: none.")
    private String parent = "";

    @Option(names = "--writable", description = "For a container to write to.")
    private boolean writable;

    @Option(names = "--size", paramLabel = "20GB", description = "Size of the container's disk.")
    private String size = "0";

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        CreateOptions options = new CreateOptions(CreateOptions.parseSize(size));
        if (writable) {
            driver.createReadWrite(id, parent, options);
        } else {
            driver.create(id, parent, options);
        }
        if (output.wantsJson()) {
            output.json(Json.object("id", id));
        }
        return CommandLines.OK;
    }
}
