using System.Diagnostics;
using System.Text;
using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Chat;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Properties.Models;

/// <summary>Damaged templates: a text or an input's problem comes out, soon, and never a crash.</summary>
public sealed class ChatTemplateMutationTests
{
    private const int Mutations = 1500;

    private static readonly Seed Seed = new(29);

    private static readonly string[] Templates =
    [
        """
            {%- macro head(role) %}{{- '<|' ~ role ~ '|>\n' }}{%- endmacro %}
            {%- set ns = namespace(n=0, seen=[]) %}
            {%- for m in messages if m.role != 'x' %}
                {%- if loop.first and m['role'] == 'system' %}{{ raise_exception('no ' ~ m.role) }}{% endif %}
                {%- set ns.n = ns.n + 1 %}{% set ns.seen = ns.seen + [m.role] %}
                {{- head(m.role) + m.content | trim + '<|end|>' }}
                {%- if loop.index is even %}{% continue %}{% endif %}
            {%- else %}none{%- endfor %}
            {%- if add_generation_prompt is defined and add_generation_prompt %}{{ head('assistant') }}{% endif %}
            """,
        """
            {{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | map('upper') | list }}
            {% for k, v in messages[0].items() %}{{ k }}={{ v[1:-1][::-1] }}{{ loop.cycle('a', 'b') }};{% endfor %}
            {% set x %}{% filter replace('a', 'b') %}aaa{% endfilter %}{% endset %}{{ x | indent(2) | length }}
            {{ '%s-%05.2f' % ('x', 3.14159) }}{{ '{:>8}|{}'.format('a', [1, (2,), {'k': none}]) }}{{ 7 // 2 ** 3 % 5 }}
            {% call(u) (messages | length) %}{% endcall %}
            """,
        """
            {% with a = 1, b = range(3) %}{% for i in b recursive %}{{ i }}{{ loop.depth }}{% endfor %}{% endwith %}
            {% generation %}{{ messages[-1]['content'].split('</think>')[-1].lstrip('\n') }}{% endgeneration %}
            {{ strftime_now('%d %b %Y') if strftime_now is defined else '' }}{# note #}{% raw %}{{ }}{% endraw %}
            {{ {'a': [1, 2, 3] | batch(2) | list, 'b': 'abc' | list | sort(reverse=true) | join(', ')} }}
            """,
    ];

    // Separated by blanks; a low line is a blank in a word.
    private static readonly string[] Words =
    [
        .. (
            "{{ }} {% %} {%- -%} {# #} ( ) [ ] { } | . , : ~ ** * // % < == _in_ _is_ _not_ _if_ _else_ _and_ "
            + "' \" \\ 0 -1 9999999999 1e308 none loop messages range(99999) |list |tojson |sort |map('trim') "
            + "caller() *10**9 [::-1] {%_for_x_in_messages_%} {%_endfor_%} {%_if_1_%} {%_endif_%} "
            + "{%_set_x_=_x_~_x_%} {%_break_%} |join |length (*messages) (**messages[0]) \n \ud800 é \0"
        )
            .Split(' ')
            .Select(w => w.Replace('_', ' ')),
    ];

    private static readonly Dictionary<string, JsonElement> Names = new()
    {
        ["messages"] = JsonSerializer.SerializeToElement(
            new[] { new { role = "user", content = " Hi " }, new { role = "assistant", content = "a</think>b" } }
        ),
        ["add_generation_prompt"] = JsonSerializer.SerializeToElement(true),
    };

    [Fact]
    public void A_damaged_template_gives_a_text_or_an_input_problem_in_bounded_time()
    {
        var (texts, refused) = (0, 0);
        for (var number = 0; number < Mutations; number++)
        {
            var template = Damaged(number);
            var watch = Stopwatch.StartNew();
            try
            {
                JinjaTemplate.Parse(template, "t.jinja").Render(Names, DateTime.UnixEpoch);
                texts++;
            }
            catch (InputException)
            {
                refused++;
            }
            catch (Exception e)
            {
                Assert.Fail($"mutation {number}: {e}\n{template}");
            }
            Assert.True(
                watch.Elapsed < TimeSpan.FromSeconds(20),
                $"mutation {number} took {watch.Elapsed}:\n{template}"
            );
        }
        Assert.True(texts > 20 && refused > 20, $"{texts} texts, {refused} refusals: the damage is one-sided");
    }

    private static string Damaged(int number)
    {
        var mutator = new Mutator(Seed, number);
        var text = Templates[mutator.Below(Templates.Length)];
        if (mutator.Below(5) == 0)
            return text[..mutator.Below(text.Length)];
        if (mutator.Below(5) == 0)
            return Encoding.UTF8.GetString(mutator.Bytes(Encoding.UTF8.GetBytes(text)));
        for (var times = 1 + mutator.Below(3); times > 0; times--)
        {
            var at = mutator.Below(text.Length);
            var gone = Math.Min(text.Length - at, mutator.Below(4) == 0 ? mutator.Below(12) : 0);
            text = text[..at] + Words[mutator.Below(Words.Length)] + text[(at + gone)..];
        }
        return text;
    }
}
