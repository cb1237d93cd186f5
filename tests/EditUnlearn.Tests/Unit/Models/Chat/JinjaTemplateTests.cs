using System.Diagnostics;
using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Chat;

namespace EditUnlearn.Tests.Unit.Models.Chat;

/// <summary>The language of chat templates: what it gives, what it refuses, and that nothing runs away.</summary>
public sealed class JinjaTemplateTests
{
    private static readonly DateTime Now = new(2026, 11, 29, 9, 5, 7);

    private static readonly JsonElement Messages = JsonSerializer.SerializeToElement(
        new[] { new { role = "user", content = " Hi " }, new { role = "assistant", content = "yo" } }
    );

    // Outcomes of Python's jinja2 3.1.6 with the settings of transformers.
    [Theory]
    [InlineData("{{ 1e16 }} {{ 1e22 }} {{ 9.999999999999999e22 }} {{ -0.0 }}", "1e+16 1e+22 1e+23 -0.0")]
    [InlineData("{{ -7 // 2 }} {{ -7 % 3 }} {{ 7.5 // -2 }} {{ 2 ** -1 }}", "-4 2 -4.0 0.5")]
    [InlineData("{{ 2.675 | round(2) }} {{ 2.5 | round }} {{ 1250 | round(-2) }}", "2.67 2.0 1200")]
    [InlineData("{{ '%05.1f|%-4s|%x' % (2.25, 'a', 255) }}", "002.2|a   |ff")]
    [InlineData("{{ '{:>4}{:,}{!r}'.format('a', 1234567, 'b') }}", "   a1,234,567'b'")]
    [InlineData("{{ ['b', 'A'] | sort }}{{ {'b': 1, 1: [none]} }}", "['A', 'b']{'b': 1, 1: [None]}")]
    [InlineData("{% for x in [1, [2]] recursive %}{{ loop(x) if x is sequence else x }}{% endfor %}", "12")]
    [InlineData("{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}", "1")]
    [InlineData("{% macro f(a, b=a) %}{{ a }}{{ b }}{{ varargs }}{% endmacro %}{{ f(1) }}", "11()")]
    [InlineData("{% filter upper %}a{% endfilter %}{% print 1, 2 %}", "A12")]
    [InlineData("{% if false %}{{ 1 | nosuch }}{% endif %}ok", "ok")]
    [InlineData("  {% raw %}{{ x }}{% endraw %}", "{{ x }}")]
    [InlineData("{{ '😀a'[1] }}{{ '😀' | length }}{{ 'Straße' | upper }}", "a1STRASSE")]
    [InlineData("{{ [] | first }}[{{ 'x' if false }}]{{ nothing ~ 1 }}", "[]1")]
    public void Templates_give_what_the_published_language_gives(string template, string expected) =>
        Assert.Equal(expected, Render(template));

    [Theory]
    [InlineData("a\n{{ 1 | nosuch }}", "t.jinja(2): the chat template is not valid: No filter named 'nosuch'.")]
    [InlineData("{{ 1 is nosuch }}", "No test named 'nosuch'.")]
    [InlineData("\n\n{% frob %}", "t.jinja(3): the chat template is not valid: Encountered unknown tag 'frob'.")]
    [InlineData("{% include 'x' %}", "of the chat template, the tag 'include' is not supported")]
    [InlineData("{{ [1] | random }}", "the filter 'random' is not supported")]
    [InlineData("{{ 'a'.encode('utf-8') }}", "the method 'encode' of a text is not supported")]
    [InlineData("{{ raise_exception('no ' ~ messages[0].role) }}", "refuses these messages: no user")]
    [InlineData("{{ [].append(1) }}", "access to attribute 'append' of 'list' object is unsafe.")]
    [InlineData("{{ ''.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe.")]
    [InlineData("{{ messages[9].role }}", "list object has no element 9")]
    [InlineData("{% if a %}", "Jinja was looking for the following tags: 'elif' or 'else' or 'endif'.")]
    public void What_is_not_known_or_not_allowed_is_refused_by_name_and_place(string template, string expected)
    {
        var error = Assert.Throws<InputException>(() => Render(template)).Message;
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.Contains("--template", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{ 'a' * 10 ** 9 }}", "characters")]
    [InlineData("{{ [1] * 10 ** 9 }}", "items")]
    [InlineData("{{ 'a'.center(10 ** 9) }}", "characters")]
    [InlineData("{{ '%1000000000d' % 1 }}", "characters")]
    [InlineData("{{ '{:1000000000}'.format(1) }}", "characters")]
    [InlineData("{{ 10 ** (10 ** 10) }}", "bits")]
    [InlineData("{{ range(10 ** 9) }}", "Range too big")]
    [InlineData("{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}", "steps")]
    [InlineData("{% for i in range(90000) %}{{ 'abcdefghijklmnop' }}{% endfor %}", "characters")]
    [InlineData("{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}", "")]
    [InlineData(
        "{% set ns = namespace(x=1) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        "deep"
    )]
    [InlineData(
        "{% set ns = namespace(x=1) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        ""
    )]
    [InlineData("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}", "deep")]
    [InlineData("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "deep")]
    [InlineData("{% for i in range(300) %}{{ 'aaaaaaaaaaaaaaaaaaaa'.replace('', 'b' * 30000) }}{% endfor %}", "")]
    [InlineData("{{ [1] | batch(10 ** 9, 0) | list }}", "items")]
    [InlineData(
        "{{ [1, 2] | tojson(indent=10 ** 9) | length * 0 }}{{ [[[[1]]]] | tojson(indent='a' * 999999) }}",
        "characters"
    )]
    public void Nothing_takes_more_than_its_limit(string template, string limit)
    {
        var watch = Stopwatch.StartNew();
        var error = Assert.Throws<InputException>(() => Render(template)).Message;
        Assert.Contains(limit, error, StringComparison.Ordinal);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"took {watch.Elapsed}");
    }

    [Theory]
    [InlineData("(")]
    [InlineData("[")]
    [InlineData("-")]
    [InlineData("not ")]
    [InlineData("{1:")]
    [InlineData("a[")]
    [InlineData("a(")]
    [InlineData("a if ")]
    public void Deep_nesting_is_refused_and_not_a_crash(string open)
    {
        var many = string.Concat(Enumerable.Repeat(open, 100_000));
        Assert.Throws<InputException>(() => Render("{{ " + many));
        Assert.Throws<InputException>(() => Render("{{ a" + string.Concat(Enumerable.Repeat("|trim", 5000)) + " }}"));
        Assert.Throws<InputException>(() => Render(string.Concat(Enumerable.Repeat("{% if 1 %}", 100_000))));
    }

    [Fact]
    public void A_long_sum_is_no_deep_one()
    {
        var sum = string.Join(" + ", Enumerable.Repeat("1", 300));
        Assert.Equal("300", Render("{{ " + sum + " }}"));
    }

    private static string Render(string template) =>
        JinjaTemplate
            .Parse(template, "t.jinja")
            .Render(new Dictionary<string, JsonElement> { ["messages"] = Messages }, Now);
}
